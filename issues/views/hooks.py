"""What TokPortal calls. No log-in, no cookie: the signature over the body is everything."""

from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from issues.sync.webhooks import MAX_BODY_BYTES, EventRefused, take_event


@csrf_exempt
@require_POST
def tokportal_webhook(request: HttpRequest, workspace_id: UUID) -> JsonResponse:
    """Take a signed event. 200 after the commit, also for one that was taken before."""
    try:
        if int(request.headers.get("Content-Length") or 0) > MAX_BODY_BYTES:
            raise EventRefused(413, "too large")
        is_new = take_event(workspace_id, signature=request.headers.get("TokPortal-Signature", ""), body=request.body)
    except (RequestDataTooBig, ValueError):
        return JsonResponse({"received": False}, status=413)
    except EventRefused as refused:
        return JsonResponse({"received": False}, status=refused.status)
    return JsonResponse({"received": True, "repeated": not is_new})
