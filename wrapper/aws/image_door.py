"""The part of `Aws` that is about images of machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrapper.aws import images

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wrapper.aws.account import Account
    from wrapper.aws.model import Image


class ImageDoor:
    """Raises what `Aws` does."""

    _account: Account

    def create_image(
        self, instance_id: str, deployment: str, tags: Mapping[str, str], *, name: str, reboot: bool
    ) -> str:
        """Id of an image of the machine's root disk, which has begun to be made."""
        return images.create(self._account, instance_id, deployment, tags, name=name, reboot=reboot)

    def base_image(self, instance_id: str) -> str:
        """Name of the image that the machine began with."""
        return images.base(self._account, instance_id)

    def image(self, image_id: str) -> Image | None:
        """The image as it is now; None when EC2 does not know it (any more)."""
        return images.image(self._account, image_id)

    def find_images(self, name: str | None = None) -> list[Image]:
        """Every image of the deployment, or of all, the newest first."""
        return images.find(self._account, name)

    def wait_for_image(self, image_id: str, progress: Callable[[int], None]) -> Image:
        """Machines can begin with it; per cent are told on the way. AwsError: failed."""
        return images.wait_for(self._account, image_id, progress)

    def require_imdsv2_of_image(self, image_id: str) -> None:
        """Machines of it show their metadata only with a token."""
        images.require_imdsv2(self._account, image_id)

    def delete_image(self, gone: Image) -> None:
        """It is gone with its snapshots; machines that began with it live on."""
        images.delete(self._account, gone)
