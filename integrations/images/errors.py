"""What the image service tells its clients."""

from __future__ import annotations

from computecloud.core.errors import Conflict, Forbidden, Gone, Invalid, NotFound, TooLarge, Unavailable


class ImageNotFound(NotFound):
    message = "No image found with ID {image_id}"


class MemberNotFound(NotFound):
    message = "Member {member} of image {image_id} not found"


class TagNotFound(NotFound):
    message = "Tag {tag} of image {image_id} not found"


class ImageExists(Conflict):
    message = "Image ID {image_id} already exists!"


class MemberExists(Conflict):
    message = "Member {member} is duplicated for image {image_id}"


class ImageProtected(Forbidden):
    message = "Image {image_id} is protected and cannot be deleted."


class ImageNotYours(Forbidden):
    message = "You are not permitted to modify this image."


class ImageBusy(Conflict):
    message = "Image status transition from {status} to {wanted} is not allowed"


class ImageInUse(Conflict):
    message = "Image {image_id} changed meanwhile; read it again"


class ImageDeactivated(Forbidden):
    message = "The requested image has been deactivated. Image data download is forbidden."


class NotShareable(Forbidden):
    message = "Only shared images have members."


class ContentRejected(Invalid):
    message = "{reason}"


class UploadInterrupted(Invalid):
    message = "The upload ended after {got} of {expected} bytes"


class UploadAbandoned(Gone):
    message = "Image {image_id} was deleted while it was uploaded"


class TooManyOfThem(TooLarge):
    message = (
        "The limit has been exceeded on the number of allowed image {what}. Attempted: {attempted}, Maximum: {maximum}"
    )


class StoreFull(Unavailable):
    message = "The image store has no space left"


class BytesMissing(Unavailable):
    message = "The bytes of image {image_id} cannot be read"
