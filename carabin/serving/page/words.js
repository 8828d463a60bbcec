// What the page says, in French.

export const NAMES = {
  ANAT: "Anatomie", CHEM: "Substances et médicaments", DEVI: "Dispositifs", DISO: "Maladies et symptômes",
  GEOG: "Lieux", LIVB: "Êtres vivants", OBJC: "Objets", PHEN: "Phénomènes", PHYS: "Physiologie",
  PROC: "Actes et examens",
  ADRESSE: "Adresse", DATE: "Date", DATE_NAISSANCE: "Date de naissance", HOPITAL: "Hôpital",
  IPP: "Identifiant patient", MAIL: "Courriel", NDA: "Numéro de dossier", NOM: "Nom", PRENOM: "Prénom",
  SECU: "Sécurité sociale", TEL: "Téléphone", VILLE: "Ville", ZIP: "Code postal",
};

export const EXAMPLE = `COMPTE RENDU D’HOSPITALISATION (texte fictif)

Mme Jeanne Exemple, née le 12/03/1957, est adressée pour douleur thoracique constrictive évoluant depuis deux heures.

Antécédents : hypertension artérielle, diabète de type 2 sous metformine 1000 mg, asthme dans l’enfance.
Traitement d’entrée : amlodipine 5 mg, metformine, salbutamol si besoin.

Examen clinique : patiente consciente, fréquence cardiaque à 98/min, pas d’œdème des membres inférieurs, murmure vésiculaire libre.
Examens complémentaires : électrocardiogramme sans sus-décalage, troponine élevée, radiographie thoracique normale, échographie cardiaque avec hypokinésie inférieure.

Évolution : coronarographie avec pose d’un stent sur la coronaire droite. Pas de fièvre, pas de dyspnée au décours.
Traitement de sortie : aspirine 75 mg, clopidogrel 75 mg, atorvastatine 40 mg, bisoprolol 2,5 mg.
`;

export const number = new Intl.NumberFormat("fr-FR");
export const score = new Intl.NumberFormat("fr-FR", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

export function plural(count, word, participle = "") {
  const s = count > 1 ? "s" : "";
  return `${number.format(count)} ${word}${s}${participle ? ` ${participle}${s}` : ""}`;
}

// One sentence for a problem of the service (`carabin.serving.problems`), or for none at all.
export function explain(problem, model) {
  const limit = model ? ` (au plus ${number.format(model.limits.characters)} caractères)` : "";
  switch (problem.code) {
    case "queue-full": return `Le service est très sollicité. Réessayez dans ${plural(Number(problem.retryAfter) || 1, "seconde")}.`;
    case "timeout": return "L’analyse a pris trop de temps. Réessayez dans un instant, ou découpez le texte.";
    case "body-too-large":
    case "text-too-long": return `Ce texte est trop long${limit}. Analysez-le en plusieurs fois.`;
    case "bad-document": return "Ce texte contient un caractère illisible. Copiez-le de nouveau depuis le document d’origine.";
    case "token": return "Ce service demande un jeton d’accès, ou ne reconnaît pas celui-ci.";
    case "slow-body": return "La connexion est trop lente : le texte n’est pas arrivé en entier. Réessayez.";
  }
  if (problem.status) return `Le service a rencontré une erreur (${problem.status}). Le texte n’a pas été enregistré ; réessayez.`;
  return "Le service ne répond pas. Vérifiez qu’il est démarré, puis réessayez.";
}
