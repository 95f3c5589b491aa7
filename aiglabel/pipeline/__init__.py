"""From a file and a claim to a labelled file: what is common in `job`, one room a kind of media."""

from aiglabel.pipeline.files import FileJob
from aiglabel.pipeline.films import FilmJob
from aiglabel.pipeline.job import Job
from aiglabel.pipeline.pictures import PictureJob
from aiglabel.pipeline.sounds import SoundJob

__all__ = ["FileJob", "FilmJob", "Job", "PictureJob", "SoundJob"]
