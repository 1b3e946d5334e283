"""The errors that people see, as one tree. A class's docstring is its default message, its code is public.

ShotdeskError
├── NotFound                    not_found
├── UnsupportedPicture          unsupported_picture
├── BrokenPicture               broken_picture
├── PictureTooLarge             picture_too_large
├── TextTooLong                 text_too_long
├── BadText                     bad_text
├── SessionOfAnotherCustomer    session_of_another_customer
├── BadOrderFile                bad_order_file
├── BadRequest                  bad_request
├── BadSettings                 bad_settings
└── Unavailable                 unavailable
    └── ReaderDown              unavailable
"""

from inspect import cleandoc


class ShotdeskError(Exception):
    """Something went wrong."""

    code = "error"

    def __init__(self, message: str | None = None) -> None:
        self.message = message or cleandoc(type(self).__doc__ or "").splitlines()[0]
        super().__init__(self.message)


class NotFound(ShotdeskError):
    """There is nothing of that name."""

    code = "not_found"


class UnsupportedPicture(ShotdeskError):
    """This is not a PNG, JPEG or WebP picture; please send one of these."""

    code = "unsupported_picture"


class BrokenPicture(ShotdeskError):
    """This picture is damaged and cannot be opened; please send it again."""

    code = "broken_picture"


class PictureTooLarge(ShotdeskError):
    """This picture is too large; please send one of at most 10 MiB and 24 million pixels."""

    code = "picture_too_large"


class TextTooLong(ShotdeskError):
    """This text is too long; please send at most 4,000 characters."""

    code = "text_too_long"


class BadText(ShotdeskError):
    """This text is not valid UTF-8."""

    code = "bad_text"


class SessionOfAnotherCustomer(ShotdeskError):
    """This session belongs to another customer; please start a new one."""

    code = "session_of_another_customer"


class BadOrderFile(ShotdeskError):
    """The order file is not as the contract says."""

    code = "bad_order_file"


class BadRequest(ShotdeskError):
    """The request is not understood."""

    code = "bad_request"


class BadSettings(ShotdeskError):
    """The settings do not fit."""

    code = "bad_settings"


class Unavailable(ShotdeskError):
    """A part that is needed does not answer now; please try again in a moment."""

    code = "unavailable"


class ReaderDown(Unavailable):
    """The screenshot reader does not answer now."""
