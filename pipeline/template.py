"""The `study.toml` that `init` writes: every setting, its default, and what it is for.

The defaults themselves live in `assets/study.py`; a test reads this text and compares.
"""

from __future__ import annotations

import json

from assets.study import PAPER_ITEMS

_HEAD = """\
# The settings of one study. `macromicro` reads this file at the start of every command and every night and refuses
# what it does not know, naming the key. Times are local to the time zone below.

[study]
name = {name}
timezone = "{timezone}"          # of the tz database; the night begins and the days turn by it

# One table per self-report item: the ends of its scale. Self-report files have a column of this name.
# These nine are the ones of Song et al. 2024. What an export calls an item differently is said so:
#   aliases = ["Q3_1", "How happy are you now?"]
{items}
[windows]                           # minutes
length_minutes = 5.0                # heart, skin and movement features: how long a window is …
step_minutes = 5.0                  # … and how far apart two windows start, on one clock grid for everybody
lookback_minutes = 60.0             # how far back from an answer the body is looked at
voice_minutes = 30.0                # a voice clip belongs to an answer if it was spoken this shortly before it

[daily_values]
columns = []                        # columns of inbox/daily_values/*.csv for the model, e.g. ["rmssd", "sleep_minutes"]
known = "next_day"                  # a day's values are known the day after; "same_day" where they really are

[features]
eda_decomposition = "highpass"      # tonic and phasic skin: highpass; cvxeda (an extra package) and sparseda are slow
voice = "egemaps"                   # functionals of clips; compare: ComParE_2016's 6,373 beside them, not for the model
voice_lld = false                   # low-level descriptors of clips every 10 ms, not for the model
embedding_model = ""                # folder of a wav2vec 2.0 that turns clips into vectors (docs/voice.md); "" for none
embedding_sha256 = ""               # its hash: python -m assets.features.wav2vec FOLDER

[schedule]
nightly = "0 3 * * *"               # cron: minute hour day month weekday
enabled = true                      # whether the schedule runs as soon as `macromicro ui` does

[gate]                              # what a challenger owes before it replaces the champion
min_answers = 50                    # answers in the test stretch …
min_people = 3                      # … and people who gave them
coverage = 0.9                      # intervals are made to hold this share of the answers …
coverage_tolerance = 0.1            # … and must come this close to it
worst_decile_harm = 0.02            # the tenth of people served worst may lose at most this share of the scale

[training]
seed = 0
members = 4                         # networks trained from different seeds and averaged …
trees = 150                         # … beside so many boosted trees of each kind; 0: none
seeds = 3                           # how often the grid of experiments trains each design
max_epochs = 200                    # an upper limit; training stops early on a validation metric
min_answers = 100                   # below this nothing is trained and the baseline is kept
device = "cpu"                      # where networks learn: cpu, or cuda where there is a GPU and torch is built for it
weighting = "druw"                  # how items share the loss: druw, equal, kendall, dwa, random or rruw
# Ordinary nights move the parameters of people with new answers (micro). Everything is fitted anew (macro) …
macro_every_days = 7                # … after so many days with answers; 0: every night with new data
macro_new_people = 0.1              # … when this share of all people is new since then
macro_on_drift = true               # … when a feature has drifted since then

[reading]                           # what one dump may cost before it is stopped and quarantined
max_seconds = 600.0
max_memory_mb = 4096
max_unpacked_mb = 16384             # of an archive, unpacked
max_members = 100000                # files in an archive
max_depth = 3                       # archives inside archives
settle_seconds = 30.0               # schedule and sensor wait while a file has changed more recently than this
most_vanished = 0.5                 # with more than this share gone at once the night stops: a lost disk

[report]
morning = "0 7 * * *"               # the report is written again then, whether or not the night had anything to do
deadline = "0 8 * * *"              # without a report by then the asset `report` turns red
day_pages = 12                      # pages of single days that a night draws (two seconds each); 0 draws none
quiet_days = 3                      # nothing from anybody for so many days is worth a warning
quarantined_share = 0.1             # more than this share of a week's dumps refused is worth a warning

[notify]                            # who is told of a failed night or a red check: names of steps only, no data
webhook = ""                        # Slack-compatible address; better: the variable MACROMICRO_WEBHOOK
checks = true                       # red checks too, not only failed nights
mail_to = []                        # addresses; empty sends no mail
mail_from = ""
smtp_host = ""
smtp_port = 587
smtp_security = "starttls"          # starttls, tls or none
smtp_user = ""                      # its password only in the variable MACROMICRO_SMTP_PASSWORD

[retention]                         # what house-keeping keeps; the inbox and the lake's data are never touched
weekly = "0 12 * * 0"               # when it cleans
runs_days = 90                      # Dagster's runs with their logs; what an asset last made stays
versions = 30                       # newest model versions kept beside those that an alias names …
versions_days = 90                  # … and none younger than this is taken out
reports_days = 365
day_pages_days = 60                 # pages of single days, to which the reports lead
logs_days = 90
scratch_days = 14                   # checkpoints and half-written files nobody has touched for so long

# A table of a device without a reader of its own, CSV or Parquet: a file with all these columns is read so. Signals
# the features know: ecg mV, bvp, eda µS, temp °C, acc_x, acc_y, acc_z g. Only time and one column must be there.
# [formats.mydevice]
# time = "timestamp"                # the column of times …
# unit = "ms"                       # … written as iso (the default), or s, ms, us, ns since 1970
# zone = "Europe/Berlin"            # of written times without an offset; by default the participant's
# relative = false                  # whether times count from the file's start, told by its name or a sidecar
# rate_hz = 64.0                    # where the device says it; else it is measured
# decimal = "."                     # or ","
# skip_lines = 0                    # lines above the header
# signals = {{ EDA = "eda", AccX = {{ name = "acc_x", unit = "g", factor = 0.001, offset = 0.0 }} }}
# events = {{ RR = "beat", Button = "tag", Pulse = "hr" }}      # beat: intervals in ms

# A device whose clock was wrong: the dump by its path in the inbox or its SHA-256, and either when its first sample was
# really taken or how much its times are off. Its days are made again.
# [corrections."P007/e4/1000_A00123.zip"]
# starts = 2026-03-01T09:30:00+01:00
# [corrections."P008/e4/1772442000_A00456.zip"]
# shift_seconds = -43200

# A participant who lives in another zone from some local date on:
# [participants.P007]
# zones = [{{ start = 2026-03-14, timezone = "America/New_York" }}, {{ start = 2026-03-28, timezone = "{timezone}" }}]
"""


def study_text(name: str, timezone: str) -> str:
    """A commented `study.toml` with the paper's nine items, 0–100, and every default."""
    items = "".join(f"[items.{item}]\nlow = 0.0\nhigh = 100.0\n\n" for item in PAPER_ITEMS)
    return _HEAD.format(name=json.dumps(name, ensure_ascii=False), timezone=timezone, items=items)
