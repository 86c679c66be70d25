"""The most common passwords, in lower case and without trailing digits and exclamation marks."""

from __future__ import annotations

_WORDS = """
aaaaaa abc abcd abcde abcdef abcdefg abcdefgh abcdefghi abc123 a1b2c3 a1b2c3d4 access account acer action adidas
adgjmptw admin administrator adminadmin adobe alexander alexis alison amanda america anderson andrea andrew angel
angela angelina angels animal anthony apache apple apples april arsenal arthur asdasd asdf asdfasdf asdfgh asdfghjkl
asdfjkl ashley asshole august austin autumn azerty azertyuiop
babygirl backup badboy bailey banana barbara barcelona barney baseball basketball batman beautiful beaver benjamin
bigdaddy bigdog bigmac bismillah blackbird blink182 blizzard bond007 bonnie booboo boomer booster boston bradley
brandon brooklyn bubbles bulldog buster butterfly butthead
calvin camaro cameron canada captain carlos carolina caroline casper catalog celtic changeit changeme changepassword
charles charlie cheese chelsea chester chicago chicken chocolate christian christine christmas christopher cisco
clemson cloud coffee college colorado computer container cookie cookies cooper corvette cowboy cowboys crystal
daniel danielle database dallas david debian debbie december default demo denver deployment desktop devil diablo
diamond docker doctor dolphin dolphins domain donald dragon dragonball dreams
eagle eagles eclipse einstein elephant elizabeth eminem enter enterprise explorer everton
facebook falcon family fender ferrari fireball firebird firefly firewall fishing flower flowers florida football
forever formula formula1 france francis freddy freedom friday friend friends fuckoff fuckyou fussball
gandalf garfield gateway gemini general george gfhjkm ghost giants ginger godzilla golden goldfish golfer google gordon
grafana grateful gregory group guest guitar gunner
hallo hammer hannah hardcore harley harrypotter heather hello helloworld hellokitty helpme hockey homeassistant
homelab hottie hunter hunting
iceman iloveu iloveyou iloveyou1 iloveyou2 infinity internet ironman isabella
jackson jaguar january jasmine jeffrey jellyfin jennifer jeremy jessica jesus jesuschrist johnny johnson jonathan
jordan jordan23 joseph joshua jupiter justin
kawasaki killer kitten knight kubernetes
lakers lauren legend letmein letmeinnow leather letmein1 liberty lincoln linux linuxlinux liverpool login london
loveme lovely lover lucky
madison maggie magnum manager manchester marina marine mariners marlboro martin master matrix matthew maverick maxwell
melissa member mercedes merlin metallica michael michelle mickey microsoft midnight miller minecraft mobile monday
money monitor monkey monster morgan motorola mountain mustang mypassword mysecret
naruto nascar natasha nathan network newpass newpassword newyork nextcloud nicholas nicole nirvana nintendo nothing
november
october office oliver openmediavault operator oracle orange
p@ssw0rd p@ssword pa55word pa55w0rd pass passme passpass passport passw0rd password passwort passwd passphrase
patricia patrick peaches peanut pepper phoenix picture piglet playboy player please pokemon porsche portainer postgres
power president prince princess private proximity proxmox proxmoxve purple
q1w2e3 q1w2e3r4 q1w2e3r4t5 qazwsx qazwsxedc qazxsw qwaszx qwe qweasd qweasdzxc qweqwe qwer qwert qwert12345 qwerty
qwertyu qwertyui qwertyuiop qwertz qwertzuiop
rabbit rachel raiders rainbow ranger rangers raspberry rebecca redskins redsox remember richard robert rocket root
rootroot rosebud runner rush2112
samantha samsung sandra saturn scooby scooter scorpion secret secretpassword secure security september server service
shadow shannon shelby sierra silver skywalker slayer smokey snoopy snowball soccer sophie spiderman spring starwars
steelers stephanie steven stingray summer sunday sunflower sunshine super superadmin superman superuser support
supersecret swordfish synology system sysadmin
taylor teacher tech tennis test tester testing testtest thomas thunder tigers tiger tigger
tinkerbell toor topsecret toyota trinity trustno1 trustnoone truenas
ubuntu unknown unifi user username
vagrant valentina vampire vanessa veronica victor victoria vikings virtual volleyball
walter warrior welcome welcomehome welcome1 whatever william willow windows winner winston winter wizard wolverine
wordpress
xbox360 xxxxxx
yamaha yankee yankees yellow
zaq12wsx zaq1zaq1 zxcvbn zxcvbnm zxcvbnm1 1q2w3e 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qaz2wsx3edc 1qazxsw2 12qwaszx 123abc
123qwe 123qweasd 12345qwert 1234qwer 0987654321q 4dm1n 00000000 01234567 0123456789 0987654321 11111111 1111111111
11223344 112233445566 12121212 12312312 123123123 1234512345 12344321 12345678 123456789 1234567890 123454321 123456654321
13131313 147258369 159357258 19841984 19871987 20002000 22222222 31415926 314159265 66666666 69696969 77777777 87654321
88888888 987654321 9876543210 99999999
"""

COMMON_PASSWORDS = frozenset(_WORDS.split())
