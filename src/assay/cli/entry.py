"""Where the process begins and ends: arguments in, an exit status out.

Everything that can go wrong inside a verb is turned into one line on standard
error here, and nowhere else.
"""

import contextlib
import gc
import os
import sys
from collections.abc import Sequence

from assay.collector import keep_imports

DONE, BUG, MISUSE, INTERRUPTED = 0, 1, 2, 130
_LONGEST_LINE = 4_000  # a name of a column may fill a book


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        args: What stands behind `assay`; by default the arguments of the process.

    Returns:
        The exit status: 0 done, 1 a bug in assay, 2 a mistake that the caller can
        mend, 130 interrupted by Ctrl-C.

    Example:
        >>> main(["--version"])  # doctest: +ELLIPSIS
        assay ...
        0
    """
    if args is None:
        keep_imports()
    try:
        return _run(args)
    except KeyboardInterrupt:  # again, while the first was told
        _leave_to_system(args)
        return INTERRUPTED
    finally:
        _leave_to_system(args)
        _drop_unheard()
        if args is None:
            gc.freeze()  # else the collector goes over PyTorch once more, for 0.6 s


def _run(args: Sequence[str] | None) -> int:
    stdout = sys.stdout
    try:
        _tolerate_unprintable()
        status = _dispatch(args)
        if sys.stdout is not None:
            sys.stdout.flush()
        return _tell("interrupted", INTERRUPTED) if status == INTERRUPTED else status
    except SystemExit as leaving:
        # Completion leaves this way, and so does typer, having swapped sys.stdout,
        # when whoever read our output has gone; that is no mistake of ours.
        is_reader_gone = sys.stdout is not stdout
        return _leave_quietly(stdout) if is_reader_gone else _status(leaving)
    except KeyboardInterrupt:
        status = _tell("interrupted", INTERRUPTED)
        _leave_to_system(args)
        return status
    except BrokenPipeError:
        return _leave_quietly(stdout)
    except BaseException as error:  # the last resort: a panic of a library is no Exception
        status = _report(error)
        _leave_to_system(args)  # before what the error holds on to is let go of
        return status


def _dispatch(args: Sequence[str] | None) -> int:
    from assay.cli.app import app

    given = None if args is None else list(args)
    result = app(args=given, prog_name="assay", standalone_mode=False)
    return result if isinstance(result, int) else DONE


def _leave_to_system(args: Sequence[str] | None) -> None:
    """Let Ctrl-C end, without a word, a process that has told all; a caller keeps its own way."""
    if args is not None:
        return
    import signal

    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _drop_unheard() -> None:
    """Drop what an output did not take, which was told, or Python would end with status 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            _leave_quietly(stream)


def _tolerate_unprintable() -> None:
    """Let a terminal that lacks a character show its number rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _status(leaving: SystemExit) -> int:
    if leaving.code is None:
        return DONE
    return leaving.code if isinstance(leaving.code, int) else BUG


def _leave_quietly(stdout: object) -> int:
    """Turn a closed output into nothing, so that the last flush cannot fail."""
    try:
        descriptor = stdout.fileno()  # type: ignore[attr-defined]
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    except (OSError, ValueError, AttributeError):
        pass  # not a real file: nothing to flush
    return DONE


def _report(error: BaseException) -> int:
    from assay.errors import InternalError, UserError

    if os.environ.get("ASSAY_DEBUG", "") not in ("", "0"):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, UserError):
        return _tell(f"{error}{_notes(error)}", MISUSE)
    if hasattr(error, "exit_status"):  # a training that was told to stop
        return _tell(str(error), int(error.exit_status))
    if isinstance(error, OSError | MemoryError):
        return _tell(f"{_machine_line(error)}{_notes(error)}", MISUSE)
    if hasattr(error, "format_message"):  # typer's usage errors, whichever its version
        return _tell(_usage_line(error), MISUSE)
    if type(error).__name__ == "Abort":
        return _tell("interrupted", INTERRUPTED)
    what = str(error) if isinstance(error, InternalError) else _described(error)
    hint = "Set ASSAY_DEBUG=1 to see where, and please report it."
    return _tell(f"internal error: {what.rstrip('.')}. {hint}{_notes(error)}", BUG)


def _notes(error: BaseException) -> str:
    """Return what was added on the way here, such as how to go on."""
    notes = (note[:1].upper() + note[1:] for note in getattr(error, "__notes__", ()))
    return "".join(f" {note}" for note in notes)  # no stop behind what will be copied


def _machine_line(error: OSError | MemoryError) -> str:
    """Return what the machine refused: a full or broken disk, too little memory."""
    if isinstance(error, MemoryError):
        return "memory ran out. Free some, or give a smaller table."
    where = f"{error.filename}: " if isinstance(error.filename, str) else ""
    return f"{where}cannot read or write: {error.strerror or error}. Look after the disk."


def _described(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _usage_line(error: BaseException) -> str:
    message = " ".join(str(error.format_message()).split())  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "assay"
    message = message if message.endswith((".", "?", "!", ")")) else f"{message}."
    return f"{message} See '{path} --help'."


def _tell(message: str, status: int) -> int:
    """Write one line on standard error, whatever is in the message."""
    from assay.report.wording import shortened

    if sys.stderr is not None:
        try:
            sys.stderr.write(f"assay: {shortened(message, _LONGEST_LINE)}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass  # nobody listens; the status still tells
    return status
