"""``edge demo``: a server, phones in processes of their own, and real calls between them.

``phone`` is the scripted phone (run as ``python -m edge.demo.phone``), ``telephone`` its calls,
``audio`` its RTP, ``sound`` what it sends and hears, ``handset`` such a process from outside;
``server``, ``scenes``, ``show`` and ``run`` are the demo around it.
"""
