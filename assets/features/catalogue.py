"""Every feature there is: its name with unit, what it means and where it comes from.

One catalogue feeds the lake's schemas, the Dagster UI, the model's feature schema and `docs/features.md`. Computing
them belongs to the file of each modality, which must fill exactly these columns.
"""

from __future__ import annotations

from dataclasses import dataclass

from assets.features.egemaps import EGEMAPS_NAMES, egemaps_unit

TASK_FORCE = "Task Force of the ESC and NASPE 1996"
PHAM = "Pham et al. 2021, Sensors 21:3998 (NeuroKit2)"
MAKOWSKI = "Makowski et al. 2022, Entropy 24:1036 (NeuroKit2)"
POSADA = "Posada-Quintero et al. 2016, Ann Biomed Eng 44:3124"
HDCZA = "van Hees et al. 2018 (HDCZA)"
ACHLIOPTAS = "Achlioptas 2003, of wav2vec 2.0 (Baevski et al. 2020)"
EYBEN = "Eyben et al. 2016, eGeMAPSv02 (openSMILE)"


@dataclass(frozen=True)
class Feature:
    """One number per window, clip, minute or day; those that are `chosen` go into moments and so to the model."""

    name: str
    unit: str
    meaning: str
    source: str
    chosen: bool = True


HRV = (
    Feature("hr_bpm", "bpm", "mean heart rate", TASK_FORCE),
    Feature("rr_mean_ms", "ms", "mean RR interval", TASK_FORCE),
    Feature("sdnn_ms", "ms", "standard deviation of RR intervals", TASK_FORCE),
    Feature("rmssd_ms", "ms", "root mean square of successive RR differences, never across a gap", TASK_FORCE),
    Feature("pnn50_pct", "%", "successive differences above 50 ms", TASK_FORCE),
    Feature("lf_ms2", "ms²", "power at 0.04–0.15 Hz", TASK_FORCE),
    Feature("hf_ms2", "ms²", "power at 0.15–0.40 Hz", TASK_FORCE),
    Feature("lf_hf", "ratio", "LF over HF power", TASK_FORCE),
    Feature("sd1_ms", "ms", "Poincaré width", PHAM),
    Feature("sd2_ms", "ms", "Poincaré length", PHAM),
    Feature("dfa_alpha1", "", "short-term scaling exponent of detrended fluctuation analysis, 4–11 beats", PHAM),
    Feature("sampen", "", "sample entropy (m = 2, r = 0.2 SD)", PHAM),
    Feature("line_length_ms", "ms", "mean absolute successive difference", MAKOWSKI, chosen=False),  # RMSSD's kin
    Feature("hjorth_complexity", "", "Hjorth complexity", MAKOWSKI, chosen=False),
    Feature("svden", "bits", "entropy of the singular values of successive pairs", MAKOWSKI, chosen=False),
    Feature("cwpen", "", "conditional weighted permutation entropy, order 3", MAKOWSKI, chosen=False),
)
EDA = (
    Feature("eda_mean_us", "µS", "mean skin conductance of valid samples", "Boucsein 2012"),
    Feature("eda_tonic_us", "µS", "mean tonic level", "Boucsein 2012"),
    Feature("eda_tonic_slope_us_per_min", "µS/min", "slope of the tonic level", "Boucsein 2012"),
    Feature("eda_phasic_sd_us", "µS", "standard deviation of the phasic part", "Boucsein 2012"),
    Feature("scr_per_min", "1/min", "skin-conductance responses above an absolute threshold", "Boucsein 2012"),
    Feature("scr_amplitude_us", "µS", "mean response amplitude; null without responses", "Boucsein 2012"),
    Feature("scr_rise_s", "s", "mean rise time; null without responses", "Boucsein 2012"),
    Feature(
        "scr_recovery_s",
        "s",
        "mean time from peak to half the amplitude; null where none recovers before the next",
        "Boucsein 2012",
        chosen=False,  # missing where responses are frequent
    ),
    Feature("eda_sympathetic_us2", "µS²", "power at 0.045–0.25 Hz (EDASymp)", POSADA, chosen=False),
    Feature("eda_sympathetic_share", "share", "of the power up to 0.4 Hz (EDASympn)", POSADA, chosen=False),
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
    Feature(
        "moving_pct",
        "%",
        "time above threshold: share of samples whose filtered norm is beyond 10 mg",
        "Cole et al. 1992",
        chosen=False,  # ENMO, crossings and integration say the same
    ),
    Feature("wrist_angle_deg", "°", "mean angle of the wrist against the horizontal", "van Hees et al. 2015"),
    Feature("angle_sd_deg", "°", "standard deviation of that angle", "van Hees et al. 2015", chosen=False),
    Feature("steps", "count", "steps that the device counted; null where it counted none", "device", chosen=False),
)
TEMPERATURE = (
    Feature("temp_c", "°C", "mean skin temperature", "Kleckner et al. 2018"),
    Feature("temp_slope_c_per_min", "°C/min", "slope of skin temperature", "Kleckner et al. 2018"),
    Feature("temp_sd_c", "°C", "standard deviation of skin temperature", "Kleckner et al. 2018"),
)
MINUTE = (
    Feature("enmo_mg", "mg", "Euclidean norm minus one, negatives cut", "van Hees et al. 2013"),
    Feature("angle_change_deg", "°", "five-minute median of the arm's angle changes in five seconds", HDCZA),
    Feature("angle_largest_deg", "°", "largest change of the arm's angle in five seconds", "van Hees et al. 2015"),
    Feature("hr_bpm", "bpm", "heart rate of at least ten valid intervals", TASK_FORCE),
    Feature("temp_c", "°C", "mean skin temperature", "Kleckner et al. 2018"),
    Feature("steps", "count", "steps that the device counted; null where it counted none", "device"),
)
SUMMARY = (
    Feature("recorded_h", "h", "minutes with any sensor", "this project"),
    Feature("worn_h", "h", "minutes in which the band was worn", "Zhou et al. 2015; van Hees et al. 2013"),
    Feature("sleep_window_h", "h", "length of the sleep window of the night that ends on this day", HDCZA),
    Feature("asleep_h", "h", "sustained inactivity in the sleep window", "van Hees et al. 2015"),
    Feature("sleep_efficiency_pct", "%", "share of the sleep window that was slept", "van Hees et al. 2015"),
    Feature("night_hr_bpm", "bpm", "mean heart rate in the sleep window", TASK_FORCE),
    Feature("night_rmssd_ms", "ms", "mean RMSSD of the sleep window's five-minute pieces", TASK_FORCE),
    Feature("night_temp_c", "°C", "mean skin temperature in the sleep window", "Kleckner et al. 2018"),
    Feature(
        "rest_hr_bpm",
        "bpm",
        "median heart rate of worn minutes after twelve with no more than sedentary movement",
        "Mishra et al. 2020; Hildebrand et al. 2017",
    ),
    Feature("enmo_mg", "mg", "mean movement while worn", "van Hees et al. 2013"),
    Feature("active_min", "min", "worn minutes of moderate or vigorous movement (100 mg)", "Hildebrand et al. 2014"),
    Feature("steps", "count", "steps that the device counted; null where it counted none", "device"),
    Feature("eda_tonic_us", "µS", "mean tonic level, windows weighted by coverage", "Boucsein 2012"),
    Feature("scr_per_min", "1/min", "mean rate of responses, windows weighted by coverage", "Boucsein 2012"),
)
ACOUSTIC = tuple(Feature(name, egemaps_unit(name), "functional of eGeMAPSv02", EYBEN) for name in EGEMAPS_NAMES)
EMBEDDING = tuple(
    Feature(f"projection_{n:02}", "", f"sum {n} of the clip's embedding under fixed random signs", ACHLIOPTAS)
    for n in range(32)
)
"""What the model reads of a voice embedding, in studies that name a network."""

WINDOW_FEATURES = {"hrv": HRV, "eda": EDA, "motion": MOTION, "temperature": TEMPERATURE, "voice": ACOUSTIC}
"""Everything computed per window or clip."""

MODALITIES = {name: tuple(f for f in features if f.chosen) for name, features in WINDOW_FEATURES.items()}
"""What of it moments, and so the model, are made of: one for each thing that a physiologist would tell apart."""
