"""Every feature there is: its name with unit, what it means and where it comes from.

One catalogue feeds the lake's schemas, the Dagster UI, the model's feature schema and `docs/features.md`. Computing
them belongs to the file of each modality, which must fill exactly these columns.
"""

from __future__ import annotations

from dataclasses import dataclass

from assets.features.egemaps import EGEMAPS_NAMES, egemaps_unit

TASK_FORCE = "Task Force of the ESC and NASPE 1996"
MAKOWSKI = "Makowski et al. 2022, Sensors 22:3998 (NeuroKit2)"
EYBEN = "Eyben et al. 2016, eGeMAPSv02 (openSMILE)"


@dataclass(frozen=True)
class Feature:
    """One number per window or clip."""

    name: str
    unit: str
    meaning: str
    source: str


HRV = (
    Feature("hr_bpm", "bpm", "mean heart rate", TASK_FORCE),
    Feature("rr_mean_ms", "ms", "mean RR interval", TASK_FORCE),
    Feature("sdnn_ms", "ms", "standard deviation of RR intervals", TASK_FORCE),
    Feature("rmssd_ms", "ms", "root mean square of successive RR differences, never across a gap", TASK_FORCE),
    Feature("pnn50_pct", "%", "successive differences above 50 ms", TASK_FORCE),
    Feature("lf_ms2", "ms²", "power at 0.04–0.15 Hz", TASK_FORCE),
    Feature("hf_ms2", "ms²", "power at 0.15–0.40 Hz", TASK_FORCE),
    Feature("lf_hf", "ratio", "LF over HF power", TASK_FORCE),
    Feature("sd1_ms", "ms", "Poincaré width", MAKOWSKI),
    Feature("sd2_ms", "ms", "Poincaré length", MAKOWSKI),
    Feature("dfa_alpha1", "", "short-term scaling exponent of detrended fluctuation analysis, 4–11 beats", MAKOWSKI),
    Feature("sampen", "", "sample entropy (m = 2, r = 0.2 SD)", MAKOWSKI),
)
EDA = (
    Feature("eda_mean_us", "µS", "mean skin conductance of valid samples", "Boucsein 2012"),
    Feature("eda_tonic_us", "µS", "mean tonic level", "Boucsein 2012"),
    Feature("eda_tonic_slope_us_per_min", "µS/min", "slope of the tonic level", "Boucsein 2012"),
    Feature("eda_phasic_sd_us", "µS", "standard deviation of the phasic part", "Boucsein 2012"),
    Feature("scr_per_min", "1/min", "skin-conductance responses above an absolute threshold", "Boucsein 2012"),
    Feature("scr_amplitude_us", "µS", "mean response amplitude; null without responses", "Boucsein 2012"),
    Feature("scr_rise_s", "s", "mean rise time; null without responses", "Boucsein 2012"),
)
MOTION = (
    Feature("enmo_mg", "mg", "Euclidean norm minus one, negatives cut", "van Hees et al. 2013"),
    Feature("motion_sd_mg", "mg", "standard deviation of the acceleration's norm", "van Hees et al. 2013"),
    Feature("zero_crossings_per_min", "1/min", "zero crossings of the filtered norm", "Cole et al. 1992"),
    Feature(
        "pim_mg_s",
        "mg·s",
        "proportional integration: area under the rectified filtered norm, per minute",
        "Cole et al. 1992",
    ),
    Feature("wrist_angle_deg", "°", "mean angle of the wrist against the horizontal", "van Hees et al. 2015"),
)
TEMPERATURE = (
    Feature("temp_c", "°C", "mean skin temperature", "Kleckner et al. 2018"),
    Feature("temp_slope_c_per_min", "°C/min", "slope of skin temperature", "Kleckner et al. 2018"),
    Feature("temp_sd_c", "°C", "standard deviation of skin temperature", "Kleckner et al. 2018"),
)
ACOUSTIC = tuple(Feature(name, egemaps_unit(name), "functional of eGeMAPSv02", EYBEN) for name in EGEMAPS_NAMES)

MODALITIES = {"hrv": HRV, "eda": EDA, "motion": MOTION, "temperature": TEMPERATURE, "voice": ACOUSTIC}
