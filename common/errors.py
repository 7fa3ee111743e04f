"""The one exception that means: the user can mend this."""


class UserError(Exception):
    """A mistake in the user's input, told in one line.

    The message names the file, line or value, says what was expected and what
    to do. `common.cli.main` prints it without a traceback and exits with
    status 2.
    """
