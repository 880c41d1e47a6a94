"""`vmon completion`: the script that makes a shell complete vmon's words."""

import click


@click.command("completion", short_help="Print a shell completion script.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print a script that completes commands, options, event types and captures in SHELL.

    \b
    bash   echo 'eval "$(vmon completion bash)"' >> ~/.bashrc
    zsh    echo 'eval "$(vmon completion zsh)"' >> ~/.zshrc      (after compinit)
    fish   vmon completion fish > ~/.config/fish/completions/vmon.fish
    """  # noqa: D301 - the escape is click's mark for lines to leave alone
    from click.shell_completion import get_completion_class

    from vmon.cli import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise AssertionError(shell)  # click knows these three
    maker = kind(cli, {}, "vmon", "_VMON_COMPLETE")
    script = maker.source_template % maker.source_vars()  # source() asks bash for its version
    click.echo(_mended(script), nl=False)


_KEEP_THE_OPTION = """\
    if [[ $words[CURRENT] == --*=* ]]; then
        local option="${words[CURRENT]%%=*}="
        completions=("${(@)completions/#/$option}")
        completions_with_descriptions=("${(@)completions_with_descriptions/#/$option}")
    fi

"""


def _mended(script: str) -> str:
    """Click's script, but for two mistakes: in fish with commas, in zsh with `--option=value`."""
    # Fish: what is offered would be cut at its own commas, and a list of types has them.
    script = script.replace('string split "," $completion', 'string split -m 1 "," $completion')
    # Zsh: what is offered would take the place of the option too.
    offer = '    if [ -n "$completions_with_descriptions" ]; then\n'
    return script.replace(offer, _KEEP_THE_OPTION + offer)
