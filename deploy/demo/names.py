"""Invented names. Lists of common given and family names of mixed origin, combined by chance: nobody in particular."""

from __future__ import annotations

import unicodedata

SYNTHETIC = "påhittad"
"""Swedish for "made up": stands in the name of every school unit and member of staff."""

SCHOOLS = (
    ("BJO", "Björkskolan (påhittad)", "bjorkskolan"),
    ("ALV", "Älvstrandens gymnasium (påhittat)", "alvstranden"),
    ("OST", "Östra Åsens gymnasium (påhittat)", "ostraasen"),
    ("SJO", "Sjöängsgymnasiet (påhittat)", "sjoang"),
    ("NOR", "Norrskensgymnasiet (påhittat)", "norrsken"),
    ("HAS", "Hasselhöjdens gymnasium (påhittat)", "hasselhojden"),
)
"""Prefix of its groups' codes, code and name of the school unit, subdomain of its addresses."""

GIVEN = (
    "Alva", "Åke", "Amina", "Anton", "Astrid", "Björn", "Daniyar", "Ebba", "Elif", "Elin", "Emil", "Fatima", "Filip",
    "Freja", "Gabriel", "Hamza", "Hanna", "Hugo", "Ida", "Idil", "Isak", "Jasmin", "Joel", "Jonna", "Kasper", "Klara",
    "Layla", "Leo", "Linnéa", "Liv", "Ludvig", "Maja", "Malte", "Märta", "Mateo", "Mehmet", "Milo", "Mira", "Moa",
    "Mohamed", "Nadia", "Nils", "Noor", "Olle", "Omid", "Örjan", "Petra", "Rasmus", "Rebecka", "Sahra", "Samir",
    "Selma", "Signe", "Sixten", "Soraya", "Stina", "Thea", "Tova", "Tuva", "Vera", "Viggo", "Wilma", "Yasmin", "Zoran",
)  # fmt: skip

FAMILY = (
    "Abdi", "Ahmadi", "Åkerström", "Al-Khatib", "Andersson", "Ångström", "Bergqvist", "Björklund", "Demir", "Ekblad",
    "Engström", "Eriksson", "Forslund", "Fröberg", "Gashi", "Granlund", "Grönlund", "Haddad", "Hägglund", "Hassan",
    "Hedström", "Holmgren", "Hosseini", "Isaksson", "Jönsson", "Kallio", "Karlsson", "Kovačević", "Laukkanen",
    "Lindqvist", "Ljungberg", "Lövgren", "Månsson", "Mohamud", "Nguyen", "Niemi", "Nordström", "Novak", "Nyström",
    "Öberg", "Öhman", "Östlund", "Petrović", "Rahimi", "Rodriguez", "Sandberg", "Sjödin", "Söderlund", "Ström",
    "Svensson", "Tesfaye", "Törnqvist", "Vasquez", "Wallin", "Warsame", "Wikström", "Yildiz", "Zetterlund",
)  # fmt: skip


def school(number: int) -> tuple[str, str, str]:
    """The school unit with this number from 0: prefix, name, subdomain. Beyond the list, names get a number."""
    prefix, name, domain = SCHOOLS[number % len(SCHOOLS)]
    again = number // len(SCHOOLS) + 1
    if again == 1:
        return prefix, name, domain
    return f"{prefix}{again}", name.replace(" (", f" {again} ("), f"{domain}{again}"


def address(name: str, domain: str) -> str:
    """An e-mail address under example.org, which is reserved and never delivers to anybody."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return f"{ascii_name.lower().replace(' ', '.')}@{domain}.example.org"
