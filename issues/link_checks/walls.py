"""Bot walls: pages that a guard in front of a host shows to programs, and sometimes to people.

Each is recognised by marks of its own: a header, a title, a phrase, the address of its script. The words robot and
captcha alone prove nothing: every second page tells search engines about robots, and many forms have a captcha.
"""

import re

from issues.link_checks.answer import Answer

# Headers that only a guard sends with a refusal or a riddle; those of the second kind stand in good answers, too.
_HEADERS = ("cf-mitigated", "x-amzn-waf-action", "x-vercel-mitigated", "x-dd-b", "x-sucuri-block", "x-px-block")
_HEADERS_OF_REFUSALS = ("x-datadome", "x-kpsdk-ct", "x-distil-cs")
# In a page of any status.
_ALWAYS = re.compile(
    r"(?i)_cf_chl_opt|/cdn-cgi/challenge-platform/h/[a-z]/orchestrate|cf-browser-verification"
    r"|captcha-delivery\.com|px-captcha|captcha\.px-cdn\.net"
    r"|Incapsula incident ID|_Incapsula_Resource\?CWUDNSAI"
    r"|captcha\.awswaf\.com|awsWafCookieDomainList|AwsWafIntegration\.(?:get|force)"
    r"|sec-if-cpt-container|/_sec/cp_challenge|bm-verify=|_sec/verify\?provider"
    r"|captcha\.perfdrive\.com|validate\.perfdrive\.com|Radware Bot Manager Captcha"
    r"|Vercel Security Checkpoint|/\.within\.website/x/cmd/anubis"
    r"|/149e9513-01fa-4fb0-aad4-566afd725d1b/[^\"']{0,80}/ips\.js"
    r"|Sucuri WebSite Firewall - Access Denied|sucuri_cloudproxy_js"
    r"|Our systems have detected unusual traffic from your computer network"
)
# In a page that refuses or puts off: these are in good pages, too.
_IN_REFUSALS = re.compile(
    r"(?i)Attention Required! \| Cloudflare|Sorry, you have been blocked"
    r"|error code:? 10(?:0[6-9]|1[0-35]|20)\b|Error(?:</span>|<[^>]{1,60}>|\s)*10(?:0[6-9]|1[0-35]|20)\b"
    r"|cf-error-code[^<>]{0,10}>10(?:0[6-9]|1[0-35]|20)\b"
    r"|errors\.edgesuite\.net|Reference\s?(?:#|&#35;)\s?[0-9a-f]{1,3}(?:\.|&#46;)[0-9a-f]{6,}"
    r"|The requested URL was rejected\. Please consult with your administrator"
    r"|This request was blocked by the security rules"
    r"|blocked by (?:our|the) (?:security service|firewall|web application firewall)"
    r"|Access to this page has been denied because we believe|Pardon Our Interruption"
    r"|Checking (?:if the site connection is secure|your browser before accessing)|Verify(?:ing)? you are human"
    r"|Making sure you(?:'|&#39;|’)re not a bot|DDoS protection by|ddos-guard"
)
_TITLES = re.compile(
    r"(?i)^(?:just a moment|nur einen moment|un instant|un momento|um momento|one moment, please|ddos-guard"
    r"|bot verification|human verification|pardon our interruption|please wait\.* \| cloudflare|you have been blocked"
    r"|access denied \| .{1,100} used cloudflare to restrict access)[.!…]*$"
)
_HOSTS = re.compile(
    r"(?:^|\.)(?:captcha-delivery\.com|perfdrive\.com|captcha\.awswaf\.com|challenges\.cloudflare\.com)/|^www\.google\.com/sorry/"
)


def is_wall(answer: Answer) -> bool:
    """Whether a guard answered instead of the host."""
    is_refusal = answer.status >= 400 or answer.status in {202, 205}
    if any(answer.header(name) for name in _HEADERS):
        return True
    if is_refusal and any(answer.header(name) for name in _HEADERS_OF_REFUSALS):
        return True
    if answer.status == 999 or _HOSTS.search(answer.target.host + answer.target.path):
        return True  # 999: LinkedIn's own number for programs
    if answer.content_type.startswith(("video/", "image/", "audio/")):
        return False
    text = answer.text()
    if _ALWAYS.search(text):
        return True
    is_guarded = bool(answer.header("cf-ray")) or "cloudflare" in answer.header("Server").lower()
    if _TITLES.match(answer.title()) and (is_refusal or is_guarded):
        return True
    return is_refusal and bool(_IN_REFUSALS.search(text))
