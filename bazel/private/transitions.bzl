"""Which configuration things are built in."""

visibility(["//bazel/private"])

_PLATFORMS = "//command_line_option:platforms"
_HOST = "//command_line_option:host_platform"

def _to_host(settings, _attr):
    return {_PLATFORMS: [settings[_HOST]]}

# For what runs, or is equal, on every platform.
host = transition(
    implementation = _to_host,
    inputs = [_HOST],
    outputs = [_PLATFORMS],
)

def _independent(settings, attr):
    return {_PLATFORMS: [settings[_HOST]] if attr.platform_independent else settings[_PLATFORMS]}

# For layers: one configuration for all platforms, where the layer says that it is the same on all.
independent = transition(
    implementation = _independent,
    inputs = [
        _HOST,
        _PLATFORMS,
    ],
    outputs = [_PLATFORMS],
)

def _over_platforms(settings, attr):
    if not attr.platforms:
        return {"0": {_PLATFORMS: settings[_PLATFORMS]}}
    return {str(number): {_PLATFORMS: [platform]} for number, platform in enumerate(attr.platforms)}

# For an index: each image once for each platform, by the platform's place in the list.
over_platforms = transition(
    implementation = _over_platforms,
    inputs = [_PLATFORMS],
    outputs = [_PLATFORMS],
)
