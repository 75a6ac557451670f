//! What is known of a packed layer, as a document.

use std::collections::BTreeMap;

use cooperage_commit::Layer;
use cooperage_compress::{BlockRecord, Encoding};
use cooperage_image_spec::{Descriptor, FromJson, History, Json, ToJson};

/// What is known of a packed layer: all that an image needs of it, and its block table, by which
/// an incremental rebuild or a lazy pull finds its way.
///
/// Written as canonical JSON; `docs/plan-format.md` has its fields.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerMetadata {
    /// What it holds, for people.
    pub name: Option<String>,
    /// The layer: its blob's descriptor with its annotations, its diff ID, its blocks.
    pub layer: Layer,
    /// Its history entry.
    pub history: History,
}

/// Why a document is no layer metadata.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// Not JSON.
    #[error("the layer metadata is not JSON")]
    Json(#[from] cooperage_image_spec::json::ParseError),
    /// A version that this program does not know.
    #[error("layer metadata of version {found} is not known here: version 1 is read")]
    Version {
        /// What was found.
        found: String,
    },
    /// A member is missing or wrong.
    #[error("layer metadata: `{field}`: expected {expected}")]
    Field {
        /// Which.
        field: &'static str,
        /// What should stand there.
        expected: &'static str,
    },
    /// A part of it is not what it should be.
    #[error("layer metadata: `{field}` is not valid")]
    Invalid {
        /// Which.
        field: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl LayerMetadata {
    /// The document's bytes, ending in a line feed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut object = BTreeMap::new();
        let mut put = |key: &str, value: Json| object.insert(key.to_owned(), value);
        put("layer_metadata", 1.into());
        if let Some(name) = &self.name {
            put("name", name.clone().into());
        }
        put("descriptor", self.layer.descriptor.to_json());
        put("diff_id", self.layer.diff_id.to_string().into());
        put("size", self.layer.size.into());
        put("entries", self.layer.entries.into());
        put("history", self.history.to_json());
        if let Some(encoding) = &self.layer.encoding {
            put("encoder", encoding.encoder().as_str().into());
            put("level", u64::from(encoding.level()).into());
            put("block_size", encoding.block_size().into());
        }
        put(
            "blocks",
            Json::Array(self.layer.blocks.iter().map(block_json).collect()),
        );
        let mut bytes = Json::Object(object).to_canonical();
        bytes.push(b'\n');
        bytes
    }

    /// Reads the document.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let json = Json::parse(bytes)?;
        match json.get("layer_metadata").and_then(Json::as_u64) {
            Some(1) => {}
            Some(found) => {
                return Err(MetadataError::Version {
                    found: found.to_string(),
                });
            }
            None => return Err(field("layer_metadata", "`1`")),
        }
        let need = |key: &'static str| json.get(key).ok_or_else(|| field(key, "a value"));
        let number = |key: &'static str| {
            need(key)?
                .as_u64()
                .ok_or_else(|| field(key, "a whole number of bytes"))
        };
        let diff_id = need("diff_id")?
            .as_str()
            .ok_or_else(|| field("diff_id", "a digest"))?;
        let history = need("history")?;
        Ok(Self {
            name: json.get("name").and_then(Json::as_str).map(str::to_owned),
            layer: Layer {
                descriptor: Descriptor::from_json(need("descriptor")?)
                    .map_err(|error| invalid("descriptor", error))?,
                diff_id: diff_id.parse().map_err(|error| invalid("diff_id", error))?,
                size: number("size")?,
                entries: number("entries")?,
                encoding: parse_encoding(&json)?,
                blocks: parse_blocks(need("blocks")?)?,
            },
            history: History::from_json(history).map_err(|error| invalid("history", error))?,
        })
    }
}

fn field(field: &'static str, expected: &'static str) -> MetadataError {
    MetadataError::Field { field, expected }
}

fn invalid(
    field: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> MetadataError {
    MetadataError::Invalid {
        field,
        source: source.into(),
    }
}

fn parse_encoding(json: &Json) -> Result<Option<Encoding>, MetadataError> {
    let Some(encoder) = json.get("encoder") else {
        return Ok(None);
    };
    let encoder = encoder
        .as_str()
        .ok_or_else(|| field("encoder", "an encoder id"))?;
    let level = json
        .get("level")
        .and_then(Json::as_u64)
        .and_then(|level| level.try_into().ok());
    let level = level.ok_or_else(|| field("level", "a level"))?;
    let size = json.get("block_size").and_then(Json::as_u64);
    let size = size.ok_or_else(|| field("block_size", "a whole number of bytes"))?;
    Encoding::parse(encoder, level, size)
        .map(Some)
        .map_err(|error| invalid("encoder", error))
}

/// `[offset, len, stored_offset, stored_len, crc32]`
fn block_json(block: &BlockRecord) -> Json {
    let numbers = [
        block.offset,
        block.len,
        block.stored_offset,
        block.stored_len,
        block.crc32.into(),
    ];
    Json::Array(numbers.into_iter().map(Json::from).collect())
}

fn parse_blocks(json: &Json) -> Result<Vec<BlockRecord>, MetadataError> {
    let wrong = || {
        field(
            "blocks",
            "a list of `[offset, len, stored_offset, stored_len, crc32]`",
        )
    };
    let Json::Array(blocks) = json else {
        return Err(wrong());
    };
    blocks
        .iter()
        .map(|block| {
            let Json::Array(numbers) = block else {
                return Err(wrong());
            };
            let numbers: Option<Vec<u64>> = numbers.iter().map(Json::as_u64).collect();
            let Some([offset, len, stored_offset, stored_len, crc32]) = numbers.as_deref() else {
                return Err(wrong());
            };
            Ok(BlockRecord {
                offset: *offset,
                len: *len,
                stored_offset: *stored_offset,
                stored_len: *stored_len,
                crc32: u32::try_from(*crc32).map_err(|_| wrong())?,
            })
        })
        .collect()
}
