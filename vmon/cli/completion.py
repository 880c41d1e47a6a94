"""`vmon completion`: print a shell completion script."""

import click


@click.command("completion", short_help="Print a shell completion script.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print a script that completes commands, options, event types and captures in SHELL.

    \b
    bash   echo 'eval "$(vmon completion bash)"' >> ~/.bashrc
    zsh    echo 'eval "$(vmon completion zsh)"' >> ~/.zshrc      (after compinit)
    fish   vmon completion fish > ~/.config/fish/completions/vmon.fish
    """  # noqa: D301 - \b tells click not to rewrap
    from click.shell_completion import get_completion_class

    from vmon.cli import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise AssertionError(shell)  # click supports these three
    maker = kind(cli, {}, "vmon", "_VMON_COMPLETE")
    script = maker.source_template % maker.source_vars()  # source() asks bash for its version
    click.echo(_patched(script), nl=False)


_ZSH_KEEP_OPTION = """\
    if [[ $words[CURRENT] == --*=* ]]; then
        local option="${words[CURRENT]%%=*}="
        completions=("${(@)completions/#/$option}")
        completions_with_descriptions=("${(@)completions_with_descriptions/#/$option}")
    fi

"""


def _patched(script: str) -> str:
    """Fix two bugs of click's script: in fish with commas, in zsh with `--option=value`."""
    # Fish: completions would be split at their own commas, and a list of types has them.
    script = script.replace('string split "," $completion', 'string split -m 1 "," $completion')
    # Zsh: the completion would replace the option as well.
    add_completions = '    if [ -n "$completions_with_descriptions" ]; then\n'
    return script.replace(add_completions, _ZSH_KEEP_OPTION + add_completions)
