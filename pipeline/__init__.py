"""The orchestration: Dagster's definitions, servers, and the command line."""

import os

# Threads that wait for each other sleep instead of spinning: a fit takes as long and less of the processor's time,
# which on two cores is that of the servers and of other nights. OpenMP reads it once, when the first library brings it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
