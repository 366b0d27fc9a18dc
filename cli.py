"""The command line: the list of commands, and how it ends. The commands themselves stand in `commands/`.

Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import os
import sys
import traceback

import typer

from .commands import concepts, corrections, evaluate, library, models, query, world
from .schemas.errors import FAILED, INTERRUPTED, OK, MyvlmTagError
from .schemas.private import keep_private

app = typer.Typer(
    name="myvlm-tag",
    help="Teach a photo library your own people, pets and things, and then ask it anything.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (
    library.run,
    library.status,
    library.failures,
    library.sql,
    query.query,
    query.similar,
    concepts.explain,
    evaluate.evaluate,
    corrections.confirm,
    corrections.reject,
    corrections.unknown,
    corrections.ignore,
    library.compact,
    models.doctor,
    world.sample,
    world.demo,
    concepts.learn,
):
    app.command()(command)
app.add_typer(models.app, name="models")
app.add_typer(concepts.app, name="concepts")


def _run() -> None:
    """Run the command; that the reader of a pipe (head) has had enough is no failure."""
    try:
        try:
            app(standalone_mode=True)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OK)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # typer met it first, and calls it a failure
            sys.exit(OK)
        raise


def main() -> None:
    """Run the command line; every named error becomes one line and its exit code."""
    os.umask(0o077)
    keep_private()
    verbose = any(argument in ("-v", "--verbose") for argument in sys.argv[1:])
    try:
        _run()
    except MyvlmTagError as error:
        if verbose:
            traceback.print_exc()
        else:
            print(f"myvlm-tag: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("myvlm-tag: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception as error:
        if verbose:
            raise
        words = " ".join(str(error).split()) or "no further words"
        print(f"myvlm-tag: {type(error).__name__}: {words}; details with -v", file=sys.stderr)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
