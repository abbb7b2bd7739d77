"""Operations over HTTP, in our own API."""
