"""`vmon completion`: the script that makes a shell complete vmon's words."""

import click


@click.command("completion", short_help="Print what makes the shell complete vmon's words.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that makes SHELL complete commands, options, event types and captures.

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
    # Click's script for fish splits what is offered at every comma, and a list of types has them.
    script = script.replace('string split "," $completion', 'string split -m 1 "," $completion')
    click.echo(script, nl=False)
