"""Cues: the words of French hospital notes by which a reader tells what stands beside them."""

from __future__ import annotations

import re

from carabin.exercises.boundaries import FOUND

_CUES = {
    "antecedent": r"\bantecedents?|\batcd|\bdepuis|connue? (?:pour|depuis)|suivie? pour|porteu(?:r|se) d|il y a \d",
    "allergy": r"allerg|intoleran|hypersensib|anaphyla|mal tolere|quincke",
    "entry-treatment": r"prenait"
    r"|(?:traitement|ttt)s? (?:habituel|d'entree|a l'entree|anterieur|au long cours|personnel)",
    "diagnosis": r"diagnosti|reten|retien|conclu|il s'agit|en faveur|evoqu|compatible|hospitalis|admis|motiv|suites d"
    r"|present|prise? en charge|au total|synthese|adresse|decours|connue? pour|evolution d"
    r"|d'evolution|a distance d|tableau d|controle[er]? d",
    "stopped": r"\barret|interromp|interrupt|suspen[sd]|stopp|non repris|ne pas reprendre|pas (?:repris|recondui)"
    r"|contre-indiqu",
    "follow-up": r"\bconsult|control|suivi|revoi|reverr|reevalu|rendez-vous|\brdv|surveill|a \d|dans \d|reeduc|kine",
}
CUE = {asks: re.compile(cue) for asks, cue in _CUES.items()}
"""What a folded unit says where a type may be asked of it, outside the parts of its own (`ASKED`)."""

FINDING = re.compile(rf"(?:\b(?:{FOUND})|:|[-=]?>|→)\s+", re.I)
"""Between an examination and what it found."""
SHOWS = re.compile(rf"(?:{FINDING.pattern})(?!\d)", re.I)
DATED = re.compile(r"(?:\s*\([^()]*\)| réalisée?s? le [^:]{6,20}?(?= \w+(?:e|ent) ))?\s*")
"""When an examination was made, behind its name."""
MADE = re.compile(r"realis|pratiqu|benefici|complet")
EXAM = re.compile(
    r"(?:abdomen sans|analyse|anatomopatho|angio|asp|bandelette|biopsie|caryotype|cholangio|cliche|coronaro"
    r"|culture|cytologie|doppler|dosage|ecbc|ecbu|ecg|echo|eeg|efr|electro|emg|endoscop|epreuve|etf|eto|ett"
    r"|examen (?!clinique|physique|du jour)|exploration|fibro|fond d|frottis|gaz du sang|gds|hemoculture|holter"
    r"|imagerie|iono|irm|mini mental|mmse|nfs|pcr|pet|ponction|potentiels|prelevement|radio|recherche (?:de|d'"
    r"|virale|para)|rp|scanner|scinti|serologie|tap|tdm|tep|test|video|\w*(?:graphie|scopie|gramme|metrie|scanner"
    r"|centese|culture)s?\b)"
)
IMPLANT = re.compile(
    r"(?:agrafe|anneau|bandelette|broche|capteur|catheter|chambre|clou|coil|dai|defibrillateur|derivation"
    r"|dispositif|drain|electrode|endoprothese|filet|implant|lentille|materiel|neurostimulateur|osteosynthese"
    r"|pacemaker|picc|pile|plaque|pompe|prothese|ressort|shunt|sonde|stent|stimulateur|valve|vis)"
)
TAKEN_OUT = re.compile(r"\bretir|\bretrait|\bablation")
PLAN = re.compile(
    r"(?:nouvelle |prochaine? )?(?:ablation|avis|bilan|consultation|controle|depistage|dosage|education"
    r"|hospitalisation|infirmiere?|kine\w*|passage|prise de sang|rdv|reeducation|reevaluation|rendez-vous|reprise"
    r"|retrait|soins|suivi|surveillance|visite)\b"
)
NO_DISEASE = re.compile(
    r"\d|(?:age|ailleurs|annees?|ans?|antecedents?|bilan|consultation|controle|diagnostic|docteur|domicile|dr"
    r"|enfant|evolution|femme|fille|garcon|homme|hospitalisation|jours?|madame|mme|mois|monsieur|nourrisson"
    r"|patiente?|prise|retour|sejour|service|sortie|suivi|traitement|urgences?)\b|(?:admis|adress|connu|hospitalis"
    r"|poursui|premi|present|pris|resume|revu|sejourn|sorti|survenu|transfer|vu)"
)
"""How no disease begins: people, places, what happens to them."""
KIN = re.compile(
    r"\b(?:cousine?|familia\w*|freres?|grands?-\w+|maternel\w*|mere|oncle|paternel\w*|pere|soeurs?|tante)\b"
)
"""Whose past is not the patient's."""
NOTHING = re.compile(r"(?:[^:]*: ?)?(?:non|aucune?|pas|neant|ras|absence|rien)\b")
GERM = re.compile(
    r"(?:[A-Z]\. ?|[A-Z][a-z]+ )[a-z]+(?:i|us|ae|a|is|um|ans|ile)\b|[A-Z][a-z]+(?:us|ella|eria|monas|bacter|coccus"
    r"|ium)\b|.*(?:virus|VRS|bacille|coque|coccus|levure|grippe|SARS|Covid|COVID|\bBK\b|SARM|BLSE|\bV[HZ]|CMV|EBV"
    r"|HPV)"
)
"""Latin names, and what else infects."""
INFECTED = re.compile(r"resist|sensible|positi|portage|infection|septic|bacteri|germe|a 10")
VITAL = re.compile(r"(?:bmi|eva|fc|fr|frequence|glasgow|imc|pa|poids|pression|sat\w*|spo2|t|ta|taille|temperature)\b")
"""What is measured at the bedside, and is no result of a laboratory."""
NO_RESULT = frozenset(("month", "celsius", "time", "beats", "/time"))
"""What a measure of an age, a delay or a pulse is in."""
FORM = re.compile(
    r"\b(?:collyre|creme|gel|injectable|pommade|poudre|sirop|solution|spray|stylo|suspension|unites?)\b", re.I
)
TAKEN = re.compile(
    r"(?:\bsous|(?:traitement|traitée?|poursuite|relais|maintien|introduction|ajout)\s+(?:par|de|d['’]|du))\s*\Z", re.I
)
"""Right before a drug that no dose follows."""
STOPPED = re.compile(r"\s*(?:a |ont )?(?:été )?(?:arrêt|interromp|suspend|stopp|n['’](?:est|a) pas |non repris)", re.I)
STOPPING = re.compile(
    r"(?:(?:arr[êe]t\w*|interromp\w*|suspen\w*|stopp\w*)\s*(?:du traitement|le traitement)?\s*(?:par|d[eu]|d['’]"
    r"|l[ea]|les|)\s*|(?:traitements?|médicaments?)\s(?:arrêté|interrompu|suspendu)e?s?\s*:\s*"
    r"|reprendre\s*:?\s*)\Z",
    re.I,
)
TIGHT = re.compile(r"[\s:|(=-]*\Z")
"""Between a drug and its dose."""
JOINT = re.compile(r"[\s:|(=~→>-]*(?:\bà\s+|\best\s+(?:de|à)\s+)?\Z")
"""Between a name and its value."""
