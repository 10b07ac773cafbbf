"""The Jobs page: the list of everybody's jobs on the left, the one that is looked at on the right."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtWidgets import QComboBox, QListView, QSplitter, QStackedWidget, QVBoxLayout, QWidget
from tweenbridge import ErrorInfo

from .. import words
from ..preferences import Preferences
from ..state.export import Export
from ..state.jobs import Group, JobsState
from ..state.look import Look
from ..state.pictures import Pictures
from ..state.server import ServerState
from ..words import tr
from .job_panel import JobPanel
from .jobs_model import JOB, JobRow, JobsModel, JobsOrder
from .parts import Card, Empty, Page, button

_LIST_WIDTH = 380


class JobsPage(Page):
    """Shows all jobs."""

    def __init__(
        self, jobs: JobsState, look: Look, pictures: Pictures, export: Export, preferences: Preferences,
        server: ServerState,
    ) -> None:  # fmt: skip
        super().__init__(tr("Jobs"))
        self._jobs = jobs
        self._look = look
        self._order = JobsOrder(JobsModel(jobs, pictures, self), self)
        self._group = QComboBox()
        self._group.setAccessibleName(tr("Which jobs to show"))
        self._group.currentIndexChanged.connect(self._narrow)
        self._pause = button(tr("Pause queue"), lambda: jobs.pause(not jobs.paused), keys="Ctrl+P")
        self.tools.addWidget(self._group)
        self.tools.addWidget(self._pause)
        self._list = self._make_list(pictures)
        self._panel = JobPanel(jobs, look, export, preferences, server)
        self._body = QStackedWidget()
        self._body.addWidget(
            Empty(
                tr("No jobs yet"),
                tr("Jobs from Blender, DaVinci Resolve and the command line appear here. Or drop two stills."),
            )
        )
        self._body.addWidget(self._make_split())
        self.body.addWidget(self._body)
        jobs.changed.connect(self._follow)
        jobs.paused_changed.connect(self._show_pause)
        jobs.failed.connect(self._complain)
        export.failed.connect(self.banner.say)
        export.finished.connect(self._saved)
        look.changed.connect(self._show_panel)
        self.shown.connect(lambda on: None if on else look.play(False))
        self._follow([], [], [])

    def choose(self, job: str) -> None:
        """Look at a job."""
        self._group.setCurrentIndex(0)
        index = self._order.index_of(job)
        if index.isValid():
            self._list.setCurrentIndex(index)
            self._list.scrollTo(index)

    # ------------------------------------------------------------ building

    def _make_list(self, pictures: Pictures) -> QListView:
        view = QListView()
        view.setModel(self._order)
        view.setItemDelegate(JobRow(self._jobs, pictures, view))
        view.setUniformItemSizes(True)
        view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setMinimumWidth(260)
        view.setAccessibleName(tr("Jobs"))
        view.selectionModel().currentChanged.connect(self._chosen)
        return view

    def _make_split(self) -> QWidget:
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        split.setHandleWidth(14)
        split.addWidget(self._list)
        right = QVBoxLayout()
        self._right = QStackedWidget()
        self._right.addWidget(Empty(tr("Choose a job"), tr("Its pictures are shown here."), width=260))
        self._right.addWidget(self._panel)
        right.addWidget(self._right)
        split.addWidget(Card(right))
        split.setStretchFactor(0, 0)
        split.setStretchFactor(1, 1)
        split.setSizes([_LIST_WIDTH, 640])
        return split

    # ------------------------------------------------------------ showing

    def _follow(self, came: list[str], dirty: list[str], gone: list[str]) -> None:
        self._body.setCurrentIndex(1 if self._jobs.jobs else 0)
        names = {
            Group.ALL: tr("All jobs"),
            Group.RUNNING: tr("Running"),
            Group.WAITING: tr("Waiting"),
            Group.DONE: tr("Done"),
            Group.FAILED: tr("Failed or cancelled"),
        }
        counts = self._jobs.counts()
        for number, group in enumerate(Group):
            text = f"{names[group]} ({counts[group]})"
            if number < self._group.count():
                self._group.setItemText(number, text)
            else:
                self._group.addItem(text, group)
        if self._look.info is None and came and self._order.rowCount():
            self._list.setCurrentIndex(self._order.index(0, 0))

    def _narrow(self) -> None:
        group = self._group.currentData()
        if isinstance(group, Group):
            self._order.narrow(group)

    def _chosen(self, index: QModelIndex, before: QModelIndex) -> None:
        info = index.data(JOB) if index.isValid() else None
        self._look.choose(info.job if info is not None else None)

    def _show_panel(self) -> None:
        self._right.setCurrentIndex(0 if self._look.info is None else 1)

    def _show_pause(self) -> None:
        self._pause.setText(tr("Go on") if self._jobs.paused else tr("Pause queue"))
        if self._jobs.paused:
            self.banner.say(
                tr("The queue is paused. What has begun is finished; nothing new begins."), "note", stay=True
            )
        else:
            self.banner.hide()

    def _complain(self, error: ErrorInfo) -> None:
        self.banner.say(words.problem(error))

    def _saved(self, folder: Path) -> None:
        self.banner.say(tr("The frames are in {folder}").format(folder=folder), "ok")
        self._show_panel()
