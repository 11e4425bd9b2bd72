"""The studio's HTTP API, beside the page and behind the same door.

Each surface speaks as programs expect that know it already: a module with `routes(desk)`, named in SURFACES
(studio.api.surfaces). What they ask becomes ordinary jobs (studio.api.submitting). Nothing here is imported before
somebody asks: the page starts as fast as without.
"""
