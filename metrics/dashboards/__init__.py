"""The dashboards for Grafana 11, made of the code by ``make docs``.

Nothing of the running gateway imports this package: it needs a package of development.
"""
