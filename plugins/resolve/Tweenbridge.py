"""In-betweens between keyframes on the timeline. This file belongs into Resolve's folder Fusion/Scripts/Utility.

Resolve loads whatever Python it finds, from 3.8 on, and gives menu scripts `resolve`, `fusion` and `bmd`. All else
that is needed travels with Tweenbridge: the script's package, and for each Python the libraries that fit it. Where
those are, `resolve.json` in Tweenbridge's data folder says:

    {"package": "a folder with tweenbridge_resolve in it", "vendor": "a folder with py3, cp38 ... cp311 and abi3 in it"}

Without that file, a folder `tweenbridge-resolve` beside this one is taken, with `package` and `vendor` in it.
"""

import json
import os
import sys
from typing import Tuple

OLDEST = (3, 8)
BUNDLE = "tweenbridge-resolve"


def data_folder() -> str:
    """Tweenbridge's data folder; the same rule as everywhere in it."""
    chosen = os.environ.get("TWEENBRIDGE_HOME")
    home = os.path.expanduser("~")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Application Support")
    else:
        base = os.environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    return os.path.join(base, "tweenbridge")


def recorded() -> Tuple[str, ...]:
    """The folders (package, vendor) that the installation has written down; () where it has not."""
    try:
        with open(os.path.join(data_folder(), "resolve.json"), encoding="utf-8") as file:
            said = json.load(file)
        found = said["package"], said["vendor"]
        return found if all(isinstance(folder, str) and os.path.isdir(folder) for folder in found) else ()
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def beside() -> Tuple[str, ...]:
    """The folders (package, vendor) of a bundle beside this file; () where there is none."""
    # Resolve gives menu scripts no `__file__`; what was compiled knows where it came from.
    names = [globals().get("__file__"), beside.__code__.co_filename, sys.argv[0] if sys.argv else None]
    for name in names:
        if name:
            bundle = os.path.join(os.path.dirname(os.path.abspath(name)), BUNDLE)
            found = os.path.join(bundle, "package"), os.path.join(bundle, "vendor")
            if all(os.path.isdir(folder) for folder in found):
                return found
    return ()


def prepare() -> str:
    """Make the package and its libraries importable; returns what is wrong, or ""."""
    version = "%d.%d" % sys.version_info[:2]
    if sys.version_info[:2] < OLDEST:
        return (
            "DaVinci Resolve has loaded Python %s; Tweenbridge needs 3.8 or later. Install a newer Python from "
            "python.org and start DaVinci Resolve again." % version
        )
    found = recorded() or beside()
    if not found:
        return "Tweenbridge's files are not where they were installed. Install it for DaVinci Resolve again."
    package, vendor = found
    tag = "abi3" if sys.version_info >= (3, 12) else "cp%d%d" % sys.version_info[:2]
    wanted = [package, os.path.join(vendor, "py3"), os.path.join(vendor, tag)]
    missing = [folder for folder in wanted if not os.path.isdir(folder)]
    if missing:
        return (
            "Tweenbridge was installed without its libraries for Python %s, which DaVinci Resolve has loaded "
            "(%s is missing). Install it for DaVinci Resolve again." % (version, missing[0])
        )
    sys.path[:0] = [folder for folder in wanted if folder not in sys.path]
    return ""


def given(name: str) -> object:
    """What Resolve gives a menu script under a name; None from outside."""
    return globals().get(name)


def alert(text: str) -> None:
    """Tell the user: on the console, and in a window where Resolve has windows for scripts."""
    print("Tweenbridge: " + text)
    bmd = given("bmd")
    ui = getattr(given("fusion") or given("fu"), "UIManager", None)
    if ui is None or not callable(getattr(bmd, "UIDispatcher", None)):
        return
    dispatcher = bmd.UIDispatcher(ui)  # type: ignore[attr-defined]
    window = dispatcher.AddWindow(
        {"ID": "TweenbridgeMessage", "WindowTitle": "Tweenbridge", "Geometry": [240, 200, 460, 150]},
        [
            ui.VGroup(
                {"Spacing": 6},
                [ui.Label({"ID": "Text", "Text": text, "WordWrap": True}), ui.Button({"ID": "Close", "Text": "Close"})],
            )
        ],
    )
    if window is None:
        # Some free editions have all that windows are made with, and make none.
        return

    def close(_event: object) -> None:
        dispatcher.ExitLoop()

    window.On.Close.Clicked = close
    window.On.TweenbridgeMessage.Close = close
    window.Show()
    dispatcher.RunLoop()
    window.Hide()


def main() -> int:
    """Run Tweenbridge with what Resolve gives; returns 0 where it was done or declined."""
    trouble = prepare()
    if trouble:
        alert(trouble)
        return 1
    resolve = given("resolve")
    bmd = given("bmd")
    if resolve is None and callable(getattr(bmd, "scriptapp", None)):
        resolve = bmd.scriptapp("Resolve")  # type: ignore[attr-defined]
    if resolve is None:
        from tweenbridge_resolve.__main__ import main as from_outside

        return from_outside()
    from tweenbridge_resolve import app

    return app.run(resolve, given("fusion") or given("fu"), bmd, alert=alert)


main()
