"""The rows of the image service."""

from integrations.images.models.image import Image, ImageStatus, PropertyText, Visibility
from integrations.images.models.member import ImageMember, ImageTag, MemberStatus

__all__ = ["Image", "ImageMember", "ImageStatus", "ImageTag", "MemberStatus", "PropertyText", "Visibility"]
