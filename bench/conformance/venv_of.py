"""Run a script again in a virtual environment that has its peers."""

import os
import subprocess
import sys
from pathlib import Path


def use(folder, peers, script):
    """folder is made once; PEER_PYTHON names a Python that has the peers already."""
    if os.environ.get("PEER_VENV") == str(folder):
        sys.path.remove(str(Path(__file__).parent)) # or `import gepa` finds our script
        return
    os.environ["PEER_VENV"] = str(folder)
    python = os.environ.get("PEER_PYTHON") or folder / "bin" / "python"
    if not os.environ.get("PEER_PYTHON") and not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *peers], check=True)
        (Path(folder) / "ready").touch()
    os.execv(python, [str(python), "-B", script, *sys.argv[1:]])
