"""botocore's data files, read without looking into each of four hundred folders for each kind of file.

botocore lists which services have a file of a kind before it reads one service's: some 10 ms for each kind, and moto
does so once more for each service. Here a folder is taken for a service, and a missing file is missed when it is
read.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from botocore.exceptions import DataNotFoundError, UnknownServiceError  # type: ignore[import-untyped]
from botocore.loaders import Loader  # type: ignore[import-untyped]


def services_by_folder(self: Any, type_name: str) -> list[str]:  # noqa: ARG001 - the signature is botocore's
    """What `Loader.list_available_services` gives, with services that have no file of that kind too."""
    folders = [path for path in self.search_paths if os.path.isdir(path)]
    return sorted({name for path in folders for name in os.listdir(path) if "." not in name})


class DataLoader(Loader):  # type: ignore[misc]
    """botocore's loader for the clients of a local run."""

    list_available_services = services_by_folder

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """Raises UnknownServiceError, also where only this kind of file is missing, as botocore's own does."""
        try:
            return super().load_service_model(service_name, type_name, api_version)
        except DataNotFoundError as error:
            raise UnknownServiceError(service_name=service_name, known_service_names=error) from error


@lru_cache(maxsize=1)
def data_loader() -> Any:
    """The one loader of the process: what it has read it keeps."""
    return DataLoader()
