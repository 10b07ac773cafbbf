"""The tray app put together: states, pages, window and icon."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QLibraryInfo, QLocale, QObject, QStandardPaths, QTranslator
from PySide6.QtWidgets import QApplication

from .command import Commands
from .instance import Instance, show_running
from .preferences import Preferences
from .session import Session
from .state.desktop import DesktopState
from .state.drop import DropState
from .state.export import Export
from .state.jobs import JobsState
from .state.log import LogState
from .state.look import Look
from .state.models import ModelsState
from .state.pictures import Pictures
from .state.recipe import Recipe
from .state.server import ServerState
from .state.settings import SettingsState
from .state.welcome import WelcomeState
from .views import style
from .views.drop_page import DropPage
from .views.icons import app_icon
from .views.jobs_page import JobsPage
from .views.models_page import ModelsPage
from .views.server_page import ServerPage
from .views.settings_page import SettingsPage
from .views.tray_icon import TrayIcon
from .views.welcome_page import WelcomePage
from .views.window import Window
from .words import tr


class Tray(QObject):
    """Everything of one tray, on one data folder. Nothing is shown before `open`."""

    def __init__(self, home: Path, pictures_folder: Path, session: Session | None = None) -> None:
        super().__init__()
        self.session = session or Session(home, parent=self)
        self.commands = Commands(home, self)
        self.preferences = Preferences(home, pictures_folder)
        self.jobs = JobsState(self.session, self)
        self.models = ModelsState(self.session, self)
        self.pictures = Pictures(self.session, self)
        self.look = Look(self.session, self.jobs, self.pictures, self)
        self.export = Export(self.session, self.preferences, self)
        self.recipe = Recipe(self.session, self.models, self)
        self.drop = DropState(self.session, self.recipe, self.commands, self.preferences, self)
        self.server = ServerState(self.session, self.commands, self)
        self.log = LogState(self.commands, self)
        self.settings = SettingsState(self.commands, self.preferences, self)
        self.welcome = WelcomeState(self.commands, self.preferences, self)
        self.desktop = DesktopState(self.session, self.jobs, self.models, self.preferences, self)
        self.server.status_seen.connect(self.jobs.see_status)
        self.server.status_seen.connect(self.models.see_status)
        self.jobs_page = JobsPage(
            self.jobs, self.look, self.pictures, self.export, self.preferences, self.server
        )  # fmt: skip
        self.drop_page = DropPage(self.drop)
        self.models_page = ModelsPage(self.models)
        self.server_page = ServerPage(self.server, self.log)
        self.settings_page = SettingsPage(self.settings, self.server)
        self.welcome_page = WelcomePage(self.welcome, self.server, self.models, self.models_page)
        pages = {
            "jobs": self.jobs_page,
            "drop": self.drop_page,
            "models": self.models_page,
            "server": self.server_page,
            "settings": self.settings_page,
        }
        self.window = Window(pages, self.welcome_page, self.session)
        self.icon = TrayIcon(self.desktop, self.jobs, self.session, self.preferences)
        self.icon.open_wanted.connect(self.show_job)
        self.window.opened.connect(self.desktop.seen)
        self.window.closed.connect(self._window_closed)
        self.welcome_page.done.connect(self.window.leave_welcome)

    def open(self, hidden: bool = False) -> None:
        """Start the server where it is absent, and show the icon, and the window unless it is to stay hidden."""
        self.icon.show()
        self.session.start_server()
        if self.welcome.is_due:
            self.window.show_welcome()
            self.welcome.look()
        if not hidden or not self.icon.is_there or self.welcome.is_due:
            self.window.bring_up()

    def show_job(self, job: str) -> None:
        """Show the window, with a job where one is named."""
        self.window.bring_up()
        if job:
            self.window.show_page("jobs")
            self.jobs_page.choose(job)

    def close(self) -> None:
        """End everything but the server."""
        self.icon.hide()
        self.window.hide()
        self.commands.close()
        self.drop.close()
        self.session.close()

    def _window_closed(self) -> None:
        self.look.choose(None)
        self.pictures.forget()


def make_application(arguments: list[str]) -> QApplication:
    """Qt's application, dressed, with Qt's own words in the user's language."""
    app = QApplication(arguments)
    app.setApplicationName("tweenbridge")
    app.setApplicationDisplayName(tr("Tweenbridge"))
    app.setDesktopFileName("tweenbridge")
    app.setWindowIcon(app_icon())
    for place, name in (
        (QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath), "qtbase"),
        (str(Path(__file__).parent / "translations"), "tweenbridge"),
    ):
        translator = QTranslator(app)
        if translator.load(QLocale(), name, "_", place):
            app.installTranslator(translator)
    style.apply(app)
    return app


def run(home: Path, arguments: list[str], hidden: bool) -> int:
    """Run the tray until it is quit. Returns the exit status."""
    app = make_application(arguments)
    if show_running(home):
        return 0
    instance = Instance(home)
    pictures = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
    tray = Tray(home, Path(pictures or Path.home()))
    instance.show_wanted.connect(lambda: tray.show_job(""))
    tray.icon.quit_wanted.connect(app.quit)
    # Without an icon to come back by, closing the window ends the app.
    app.setQuitOnLastWindowClosed(not tray.icon.is_there)
    tray.open(hidden)
    try:
        return app.exec()
    finally:
        instance.close()
        tray.close()
