"""Keys and anchors of the subjects' logs as a Dagster resource, and the look that `lakehouse doctor` takes at them.

Here: where the environment says that they lie. Not here: what they are for (`lakehouse/subjects/`).
"""

import os
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
from pydantic import Field

from lakehouse.errors import LakehouseError
from lakehouse.lake import Lake
from lakehouse.subjects.places import Subjects, anchors_beside, keys_beside, open_subjects
from resources.environment import value
from resources.look import Look


class SubjectsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The folders of keys and anchors; the keys themselves never stand in a configuration."""

    # `keys` would be the method by which a mapping is told, and pydantic would call the folder.
    keys_folder: str = Field(
        default="", description="The folder of the key files, <key id>.key; empty: <lake>-keys beside the lake."
    )
    anchors_folder: str = Field(
        default="", description="The folder of the anchors; empty: <lake>-anchors beside the lake."
    )

    def keys_of(self, lake: Lake) -> Path:
        """Give the folder of a lake's keys, absolute."""
        return Path(self.keys_folder).absolute() if self.keys_folder else keys_beside(lake)

    def anchors_of(self, lake: Lake) -> Path:
        """Give the folder of a lake's anchors, absolute."""
        return Path(self.anchors_folder).absolute() if self.anchors_folder else anchors_beside(lake)

    def open(self, lake: Lake) -> Subjects:
        """Give the subjects of a lake. Raises `UsageError` where keys or anchors would lie inside it."""
        return open_subjects(lake, self.keys_of(lake), self.anchors_of(lake))


def from_environment(environ: Mapping[str, str] = os.environ) -> SubjectsResource:
    """Give the resource that the environment describes."""
    keys, anchors = (value(name, environ) for name in ("LAKEHOUSE_KEYS", "LAKEHOUSE_ANCHORS"))
    return SubjectsResource(
        keys_folder=str(Path(keys).absolute()) if keys else "",
        anchors_folder=str(Path(anchors).absolute()) if anchors else "",
    )


def look(resource: SubjectsResource, lake: Lake) -> Look:
    """Say how many subjects there are, whether their keys are there and long enough, and who else may read keys.

    A key that others may read is said, and no fault: some hosts hand secrets out so. It verifies no log, as
    `lakehouse subject verify` does.
    """
    try:
        subjects = resource.open(lake)
        names = subjects.ids()
        for key_id in sorted({subjects.manifest(name).key_id for name in names}):
            subjects.keys.wanted(key_id)
        loose = subjects.keys.loose()
    except LakehouseError as error:
        return Look(False, f"{error.where}: {error.what}" if error.where else error.what, error.mend)
    if loose:
        return Look(True, f"{len(names)}; but others may read {loose[0]}", f"chmod 600 {loose[0]}")
    if not names:
        return Look(True, "none yet")
    return Look(
        True, f"{len(names)}; their keys are in {resource.keys_of(lake)}, their anchors in {resource.anchors_of(lake)}"
    )
