"""What to do about a failure, by the kind of error: one sentence for the person on call.

Kinds only: an error's own message may name participants or hold values, and advice goes to mails and chats.
"""

from __future__ import annotations

AGAIN = "What was done before it stays; the next night tries again by itself."
ADVICE = {
    "LakeError": "The lake refused a write or has a damaged part: `macromicro doctor` looks at space and parts.",
    "OSError": "The disk refused: look at space and permissions with `macromicro doctor`.",
    "PermissionError": "A file or folder belongs to somebody else: `macromicro doctor` names it.",
    "BrokenProcessPool": "A worker was killed, most often for want of memory: fewer workers with MACROMICRO_WORKERS=1.",
    "MemoryError": "Memory ran out: fewer workers with MACROMICRO_WORKERS=1.",
    "OperationalError": "A database was locked or unreadable: `macromicro doctor` says which and who holds it.",
    "DatabaseError": "A database is damaged: `macromicro doctor` says which and what to do with it.",
    "MlflowException": "MLflow's database or artifacts could not be used: `macromicro doctor` looks at both.",
    "StudyError": "study.toml says something that cannot be: `macromicro doctor` names the key.",
    "CheckError": "A stage's own check stopped the night before wrong values went on: see the check in Dagster.",
    "DagsterExecutionInterruptedError": "The run was ended from outside, by a person or a restart.",
    "RegistryError": "The model registry lacks what was asked of it: `macromicro doctor` looks at its aliases.",
}


def advice(kind: str) -> str:
    """What to do about an error of this kind, and what happens by itself."""
    known = ADVICE.get(kind, "Look at the step's log in Dagster, or run `macromicro --verbose run` by hand.")
    return f"{known} {AGAIN}"
