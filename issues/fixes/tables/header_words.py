"""Words that stand in the headers of tables, by meaning. All languages together: headers are often mixed.

English, German, French, Spanish, Portuguese, Italian, Dutch, Polish, Swedish, Danish, Czech, Turkish, Russian,
Ukrainian, and the main words of Norwegian, Finnish, Romanian, Hungarian, Greek.
"""

import unicodedata


def plain(text: str) -> str:
    """The text in lower case and without accents, as the words here are compared."""
    text = unicodedata.normalize("NFKD", text.casefold())
    text = "".join(mark for mark in text if not unicodedata.combining(mark))
    return text.replace("ł", "l").replace("ø", "o").replace("ı", "i")


def _words(text: str) -> frozenset[str]:
    return frozenset(plain(text).split())


LINK = _words(
    "url urls link links uri href hyperlink hyperlinks weblink address webaddress webadresse lien liens enlace "
    "enlaces vinculo vinculos ligacao ligacoes collegamento collegamenti koppeling koppelingen odnosnik odnosniki "
    "lank lankar odkaz odkazy baglanti verknupfung ссылка ссылки посилання"
    " linku linka linkow linki linkki linkit lenke lenker odnosnika hivatkozas συνδεσμος"
)
# A column of this name alone is a link only if links stand in it.
MEDIA = _words(
    "dropbox gdrive drive file files datei dateien fichier fichiers archivo archivos arquivo arquivos plik pliki "
    "bestand bestanden fil soubor dosya файл media medium medien asset assets download downloads herunterladen "
    "telecharger descarga descargar baixar scarica pobierz content material creative footage"
)
VIDEO = _words(
    "video videos vid clip clips reel reels film films filmas wideo filmik videodatei videodateien videofile vdeo "
    "видео відео mp4"
)
IMAGE = _words(
    "image images img imgs picture pictures pic pics photo photos foto fotos bild bilder bilddatei imagen "
    "imagenes imagem imagens immagine immagini afbeelding afbeeldingen obraz obrazek obrazy zdjecie zdjecia slide "
    "slides bilden billede billeder obrazky resim gorsel visuel visuels carousel karussell carrousel carrusel "
    "carrossel картинка изображение фото зображення jpg jpeg png"
)
NEW = _words(
    "new neu neue neuer neues neuen neuem nouveau nouvelle nouveaux nouvel nuevo nueva nuevos novo nova novos "
    "nuovo nuova nuovi nieuw nieuwe nowy nowa nowe ny nya nye novy yeni новая новый новое нова новий replacement "
    "replacements replacing ersatz remplacement remplacant reemplazo sustitucion sustituto substituicao "
    "substituto sostituzione sostitutivo vervanging vervangend vervangende zamiennik zamienny zamiana nahrada "
    "ersattning замена updated update aktualisiert fixed fix corrected correct correction korrigiert corrige "
    "corregido corrigido corretto repaired after nachher apres despues depois dopo nadien efter"
    " nou noua uj uusi νεος νεα"
)
OLD = _words(
    "old alt alte alter altes alten ancien ancienne anciens antiguo antigua viejo vieja anterior antigo antiga "
    "velho velha vecchio vecchia precedente precedent oud oude stary stara stare gammal gamla gammel stavajici "
    "eski старая старый старое стара старий current currently aktuell aktuelle aktueller aktuelles derzeit "
    "derzeitig derzeitiger actuel actuelle atual attuale huidig huidige obecny obecna aktualny nuvarande "
    "nuvaerende soucasny mevcut текущая поточна from before vorher vorherig vorheriger avant antes prima voorheen "
    "przed innan fore broken defekt defekte defekter kaputt kaputte kaputter casse cassee roto rota quebrado "
    "quebrada rotto rotta kapot kapotte zepsuty trasig odelagt битая existing bestehend bestehender previous "
    "previously bisher bisherig bisherige bisheriger prior former expired abgelaufen dead flagged failing failed "
    "bad wrong invalid faulty damaged reported"
    " vechi veche regi vanha παλιος παλια"
)
# Old to one person, new to another: a column of such a name is never chosen beside others.
UNCLEAR = _words(
    "v ver version rev revision source quelle actual original originals originale originaux originell replace "
    "replaces replaced ersetzt ersetzen remplace remplacer reemplazar sustituir substituir sostituire vervangen "
    "zamien"
)
# “Replace with”, “ersetzen durch”: the new one. “To replace”, “zu ersetzen”: the old one.
REPLACE = _words(
    "replace replaces replaced ersetzt ersetzen remplace remplacer reemplazar sustituir substituir sostituire vervangen"
)
BY = _words("with by durch mit par por con door przez med")
TO = _words("to zu a te")
BUNDLE = _words(
    "lot lots bundle bundles bundleid paket pakete paquet paquets paquete paquetes pacote pacotes pacchetto "
    "pacchetti pakket pakketten pakiet pakiety balicek пакет бандл"
    " pakietu balicku pakke pakker pachet pachete paketti csomag пакета"
)
POSITION = _words(
    "position positions pos slot slots platz steckplatz stelle place emplacement posicion posiciones posicao "
    "posizione positie pozycja miejsce plats plads pozice pozisyon sira позиция слот позиція"
    " pozycji plass pozitie pozitia pozicio hely paikka sijainti θεση"
)
NUMBER = _words("# no nr num number numbers nummer numero numer cislo numara номер index idx nbr")
ORDER = _words(
    "order reihenfolge ordre orden ordem ordine volgorde kolejnosc ordning raekkefolge poradi sequence sequenz "
    "seq sort sorting rang rank"
)
REFERENCE = _words(
    "ref refs reference references referenz referenzen referencia riferimento referentie referencja referens "
    "referans kennung kennzeichen aktenzeichen референс externalref externalid extid extref"
)
EXTERNAL = _words(
    "external ext extern externe externer externes externo externa esterno esterna zewnetrzny zewnetrzne custom "
    "client own your"
)
ID = _words("id ids identifier identifiant identificador identificatore identyfikator uuid guid")
# Links of these columns lead elsewhere: to the post, to its cover, to somebody's profile.
ELSEWHERE = _words(
    "platform tiktok instagram insta youtube yt facebook fb post posts posted published publish veroffentlicht "
    "publie live thumbnail thumb thumbs cover poster preview vorschau apercu tokportal profile profil account "
    "konto compte landing bio website site homepage shop product produkt music musik musique sound audio song "
    "brief briefing document doc sheet support help docs"
)
# A column with one of these words in its header is not for us.
OTHER = _words(
    "note notes notiz notizen notas nota bemerkung bemerkungen anmerkung anmerkungen remark remarks remarque "
    "remarques commentaire commentaires comment comments kommentar kommentare comentario comentarios commento "
    "commenti opmerking opmerkingen komentarz uwagi poznamka not aciklama комментарий заметки title titel titre "
    "titulo titolo tytul name names namen nom nombre nome naam nazwa nazev isim название filename dateiname "
    "caption captions bildunterschrift legende leyenda legenda didascalia bijschrift text description "
    "beschreibung descripcion descricao descrizione beschrijving opis popis status statut estado stato state "
    "zustand reason grund raison motivo powod date dates datum fecha data dato deadline due frist flag issue "
    "problem fehler error erreur checked verdict platforms country land pays pais paese kraj language sprache "
    "hashtags tags tag owner assignee manager type typ kind count size duration length hidden price cost credits "
    "done ok erledigt"
)
TOTALS = _words(
    "total totals totale totaal sum summe gesamt gesamtsumme somme suma soma razem lacznie count anzahl celkem "
    "toplam итого всего subtotal zwischensumme"
)
ORDINALS = _words("st nd rd th er eme e a o te ste")
KNOWN = (
    LINK
    | MEDIA
    | VIDEO
    | IMAGE
    | NEW
    | OLD
    | UNCLEAR
    | BUNDLE
    | POSITION
    | NUMBER
    | ORDER
    | REFERENCE
    | EXTERNAL
    | ID
    | OTHER
)
