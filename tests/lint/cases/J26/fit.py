"""Works on the processor."""

import numpy as np
import pandas as pd

frame = pd.DataFrame({"x": np.arange(5)})
print(frame.x.mean())
