"""Tweenbridge for DaVinci Resolve: in-betweens from the keyframes of a timeline. docs/resolve.md is its guide.

    keyframes on the timeline -> stills -> client -> server -> frames -> a clip on a track above

Runs on Python 3.8 and later, since Resolve loads whatever Python it finds. `timecode`, `placement`, `tiff` and
`recipe` are plain arithmetic; `host`, `timeline`, `media`, `stills`, `render` and `scratch` are the only files that
call Resolve's API, always from the thread they were called on.
"""
