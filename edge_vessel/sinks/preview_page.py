"""The preview's one page: nothing in it comes from elsewhere."""

from urllib.parse import quote

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>edge-vessel preview</title>
<style nonce="{nonce}">
  body {{ margin: 0; background: #111; color: #ddd; font: 16px/1.5 system-ui, sans-serif }}
  main {{ display: flex; flex-direction: column; height: 100vh }}
  img {{ flex: 1; min-height: 0; object-fit: contain }}
  p {{ margin: 0; padding: .5rem 1rem; white-space: pre-wrap }}
  .fault {{ background: #7a1010; color: #fff }}
</style>
<main>
  <img src="stream{query}" alt="Newest photograph with its vessels drawn in cyan">
  <p id="status" role="status">waiting for the first frame</p>
</main>
<script nonce="{nonce}">
  const line = document.getElementById("status");
  function say(text, fault) {{
    if (line.textContent !== text) line.textContent = text;
    line.className = fault ? "fault" : "";
  }}
  async function refresh() {{
    try {{
      const answer = await fetch("status{query}", {{cache: "no-store"}});
      if (!answer.ok) throw new Error(answer.status);
      const {{camera, frame, rate_hz}} = await answer.json();
      if (camera && camera.state !== "ok") {{
        say(`camera ${{camera.state}}: ${{camera.reason}}`, true);
      }} else if (frame && frame.status === "failed") {{
        say(frame.name ? `${{frame.name}}: ${{frame.error}}` : frame.error, true);
      }} else if (frame && frame.status === "no_fundus") {{
        say(`${{frame.name}}: no fundus in view`, false);
      }} else if (frame) {{
        const share = (100 * frame.vessel_density).toFixed(1);
        const total = frame.ms.total.toFixed(0);
        say(`${{frame.name}}: vessels ${{share}} % of the field of view, ` +
            `${{total}} ms, ${{rate_hz.toFixed(1)}} frames/s, ${{frame.dropped}} dropped`, false);
      }}
    }} catch (error) {{
      say("the device does not answer", true);
    }}
    setTimeout(refresh, 1000);
  }}
  refresh();
</script>
</html>
"""


def page(token: str | None, nonce: str) -> bytes:
    """The page as UTF-8; its own two requests carry `token`."""
    query = "" if token is None else f"?token={quote(token, safe='')}"
    return _PAGE.format(query=query, nonce=nonce).encode()


def security_headers(nonce: str) -> dict[str, str]:
    """Headers of every answer: nothing is loaded from, shown in, or kept for anywhere else."""
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'nonce-{nonce}'; "
            f"script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        ),
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
