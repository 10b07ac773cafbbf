"""A DaVinci Resolve for tests: projects, timelines, tracks, clips, markers, a media pool, stills, a render queue.

Its methods are those of the published stubs (`fusionscript-stubs`), which a test asserts; what they do follows the
vendor's text and what users of the API measured. It is hostile where Resolve is, each way switched on by itself
(`Quirks`), and it renders real pictures. Python 3.8 and the standard library, so that the launcher's tests can use it
under any interpreter; reading back imported sequences takes OpenImageIO.
"""

from .application import Resolve, make_resolve
from .quirks import Quirks

__all__ = ["Quirks", "Resolve", "make_resolve"]
