import sys
from pathlib import Path

# Worker processes import the helpers by this name, as they would a user's module.
sys.path.insert(0, str(Path(__file__).parent))
