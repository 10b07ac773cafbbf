"""Tweenbridge for DaVinci Resolve: in-betweens from the keyframes of a timeline. docs/resolve.md is its guide.

    keyframes on the timeline -> stills -> client -> server -> frames -> a clip on a track above

    before placing: the timeline is surveyed again, what moved is followed, anything else is asked

Runs on Python 3.8 and later, since Resolve loads whatever Python it finds. `timecode`, `placement`, `tiff` and
`recipe` are plain arithmetic; `window` and `dialog` are the window. Resolve's API is called from the files that
tests/plugins/resolve/test_stubs.py lists and no others, always from the thread they were called on.
"""
