"""The tests. Importing anything here makes the generated protobuf code importable."""

import protos  # noqa: F401 - puts the generated code on the path
