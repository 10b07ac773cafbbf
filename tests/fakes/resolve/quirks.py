"""The ways in which Resolve surprises a script, each to be switched on by itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Quirks:
    """How this Resolve behaves. The defaults are a Studio 20.3 on a good day."""

    version: tuple = (20, 3, 1)
    studio: bool = True
    exclusive_end: bool = True
    """`endFrame` is the frame after the last one (20.3 to 21.1), else the last one."""
    item_end_shown: bool = False
    """An item's GetEnd is its last frame, not the one after it."""
    refuses_fractions: bool = True
    broken_items: bool = False
    """Tracks list an item whose getters return None."""
    none_in_lists: bool = False
    overlaps: str = "dropped"
    """What an overlapping placement gives: "dropped" nothing, "ghost" an item whose getters return None."""
    stuck_playhead: int = 0
    """So many SetCurrentTimecode say True and move nothing."""
    stale_stills: int = 0
    """So many stills after each move of the playhead show the frame before."""
    has_stills: bool = True
    """ExportCurrentFrameAsStill is there (18.6 and later)."""
    broken_stills: int = 0
    """So many stills are cut off in the middle."""
    still_scale: int = 1
    """Stills are so many times smaller than the timeline."""
    stale_track_count: int = 0
    """So many GetTrackCount after AddTrack say what was before."""
    no_new_tracks: bool = False
    rate_locked: bool = False
    """SetClipProperty("FPS") says True and changes nothing."""
    rate_as_number: bool = False
    settings_only: bool = False
    """GetSetting answers nothing any more; GetSettings does (21.1)."""
    has_selection: bool = False
    """Timeline.GetSelectedClips is there (21.0.4)."""
    keeps_metadata: bool = True
    """Third-party metadata can be read again."""
    misplaces: int = 0
    """Clips come to lie so many frames late."""
    keeps_media: bool = False
    """MediaPool.DeleteClips says True and deletes nothing."""
    keeps_clips: bool = False
    """Timeline.DeleteClips deletes nothing."""
    stale_lists: int = 0
    """So many GetItemListInTrack after a placement do not know of it yet."""
    import_fails: bool = False
    individual_frames: bool = False
    """Show Individual Frames is on: a sequence comes in as one clip for each file."""
    render_fails: bool = False
    lies_about_start: int = 0
    """GetStartFrame is so many frames off the start timecode."""
    mark_in_out: bool = True
    """Timeline.GetMarkInOut is there."""
    edit_page_opens: bool = True
    fails: dict = field(default_factory=dict)
    """For a method's name, which of its calls (from 1) do nothing and answer `fails_with`: {"DeleteClips": (1,)}."""
    fails_with: object = None
    language: str = "en"
    """Of the interface: "pt" and "de" have their own words for how a render ended, and a decimal comma."""
    renders_on_deliver_only: bool = False
    """AddRenderJob answers "" on every other page."""
    marks_are_the_range: bool = True
    """A render's range is the timeline's In and Out: setting the one sets the other."""
    presets_refused: bool = False
    """SaveAsNewRenderPreset saves nothing."""
    preset_sticks: bool = False
    """LoadRenderPreset loads nothing."""
    timeline_nodes: tuple = (((), ""),)
    """The timeline's own node graph: for each node its tools and its LUT. A plain one has an empty node."""
    nodes_switch: str = "takes"
    """What Graph.SetNodeEnabled does: "takes", "ignored" (says True and changes nothing), "refused", "raises",
    "missing"."""
    duplicates: str = "made"
    """What Timeline.DuplicateTimeline does: "made", "unsaid" (makes one and answers None), "nothing", "raises",
    "missing"."""
    keeps_timelines: bool = False
    """MediaPool.DeleteTimelines says True and deletes nothing."""
    output_lut: str = ""
    """The project's output LUT."""
    colour_science: str = "davinciYRGB"
    """Of the project; "davinciYRGBColorManagedv2" is managed: what is imported is read as `Input Color Space` says."""
    input_space_refused: bool = False
    """SetClipProperty("Input Color Space") says True and changes nothing."""
    still_alpha: bool = False
    """Stills have a fourth sample: the left third of every picture is transparent. No version is known that does so."""
    still_bits: int = 16
    render_bits: int = 16
    inserts_tracks: bool = True
    """AddTrack knows where a track is to go; else it appends it."""
    tracks_stay_on: bool = False
    """SetTrackEnable says True and changes nothing."""
    exports_otio: bool = True
