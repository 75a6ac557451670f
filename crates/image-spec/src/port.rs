//! Ports that a container listens on.

/// Reads a port as a config's `ExposedPorts` names it, `8080`, `53/udp` or a range
/// `6000-6010/tcp`, and writes it out in full: `8080` is `8080/tcp`.
///
/// Numbers go from 1 to 65535, protocols are `tcp`, `udp` and `sctp`.
///
/// Spec: image-spec v1.1, `config.md` § Properties, `ExposedPorts`; ranges are Docker's.
///
/// # Errors
///
/// What was expected instead.
///
/// # Examples
///
/// ```
/// use cooperage_image_spec::{PortError, parse_port};
///
/// assert_eq!(parse_port("8080")?, "8080/tcp");
/// assert_eq!(
///     parse_port("http").unwrap_err().to_string(),
///     "expected a port such as `8080` or `53/udp`"
/// );
/// # Ok::<(), PortError>(())
/// ```
pub fn parse_port(text: &str) -> Result<String, PortError> {
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let number = |text: &str| {
        let number = text.parse::<u16>().ok().filter(|number| *number > 0);
        number
            .filter(|number| number.to_string() == text)
            .ok_or(PortError::Number)
    };
    if number(first)? > number(last)? {
        return Err(PortError::Range);
    }
    match protocol {
        "tcp" | "udp" | "sctp" => Ok(format!("{numbers}/{protocol}")),
        _ => Err(PortError::Protocol),
    }
}

/// Why a text is no port.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// No number from 1 to 65535.
    #[error("expected a port such as `8080` or `53/udp`")]
    Number,
    /// The higher port comes first.
    #[error("expected a range of ports that begins with the lower one")]
    Range,
    /// Another protocol.
    #[error("expected `tcp`, `udp` or `sctp` after the port")]
    Protocol,
}
