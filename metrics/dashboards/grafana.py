"""A dashboard in one language, as Grafana 11 imports it."""

import re
from collections.abc import Callable, Iterator, Mapping

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as settings
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from metrics.dashboards.panels import Board, Kind, Panel, Query, Steps, Variable
from metrics.dashboards.text import Language, Text, look
from metrics.registry import METRICS

AnyPanel = stat.Panel | timeseries.Panel | bargauge.Panel | table.Panel

_SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
_NOTHING = "–"
"""Instead of a ratio of nothing to nothing."""
_OTHER: dict[Language, tuple[Language, str]] = {"ja": ("en", "English"), "en": ("ja", "日本語")}
_BOARDS = Text("ダッシュボード", "Dashboards")
_SOURCES = Text("データソース", "Data source")
_METRICS = {metric.family: metric for metric in METRICS}


def uid(name: str, language: Language) -> str:
    """What Grafana knows a dashboard by, whatever it is renamed to."""
    return f"tsunagi-{name}-{language}"


def drawn(board: Board, language: Language) -> str:
    """The JSON of a dashboard."""
    other, other_name = _OTHER[language]
    made = (
        build.Dashboard(board.title[language])
        .uid(uid(board.name, language))
        .description(board.about[language])
        .tags(["tsunagi", language])
        .timezone("Asia/Tokyo")
        .time(f"now-{board.span}", "now")
        .refresh(board.refresh)
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .links(
            [
                build.DashboardLink(_BOARDS[language])
                .type(model.DashboardLinkType.DASHBOARDS)
                .tags(["tsunagi", language])
                .keep_time(True)
                .include_vars(True),
                build.DashboardLink(other_name)
                .type(model.DashboardLinkType.LINK)
                .url(f"/d/{uid(board.name, other)}")
                .keep_time(True)
                .include_vars(True),
            ]
        )
        .with_variable(
            build.DatasourceVariable("datasource").label(_SOURCES[language]).type("prometheus")
        )
    )
    for variable in board.variables:
        made.with_variable(_variable(variable, language))
    id_ = 0
    for row in board.rows:
        id_ += 1
        made.with_row(build.Row(row.title[language]).id(id_))
        for panel in row.panels:
            id_ += 1
            made.with_panel(_panel(panel, language).id(id_))
    return JSONEncoder(indent=2, ensure_ascii=False).encode(made.build()) + "\n"


def _variable(variable: Variable, language: Language) -> build.QueryVariable:
    made = (
        build.QueryVariable(variable.name)
        .label(variable.title[language])
        .datasource(_SOURCE)
        .query(f"label_values({variable.metric}, {variable.name})")
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(variable.several)
        .include_all(variable.several)
    )
    if variable.several:
        made.current(model.VariableOption(text=["All"], value=["$__all"], selected=True))
    return made


def _panel(panel: Panel, language: Language) -> AnyPanel:
    made = _KINDS[panel.kind](panel)
    made.title(panel.title[language]).description(panel.about[language]).datasource(_SOURCE)
    made.unit(_said(panel.unit, language)).no_value(_NOTHING)
    made.span(panel.width).height(panel.height)
    if panel.decimals is not None:
        made.decimals(panel.decimals)
    if panel.highest is not None:
        made.max(panel.highest)
    if panel.steps:
        made.thresholds(_thresholds(panel.steps))
    made.mappings(list(_mappings(panel.values, language)))
    if panel.leads_to:
        made.data_links([_link(panel, language)])
    for letter, query in zip("ABCDEF", panel.queries, strict=False):
        made.with_target(_target(panel, query, language).ref_id(letter))
        for value, properties in _looks(query, language):
            made.override_by_name(value, properties)
    if isinstance(made, table.Panel):
        _columns(made, panel, language)
    return made


def _stat(panel: Panel) -> stat.Panel:
    made = (
        stat.Panel()
        .graph_mode(settings.BigValueGraphMode.NONE)
        .color_mode(settings.BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    if panel.steps:
        return made
    fixed = build.FieldColor().mode(model.FieldColorModeId.FIXED).fixed_color("text")
    return made.color_scheme(fixed)


def _timeseries(panel: Panel) -> timeseries.Panel:
    """Lines and bars alike begin at 0, so that a small change does not look large."""
    made = (
        timeseries.Panel()
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC))
        .tooltip(
            common.VizTooltipOptions()
            .mode(settings.TooltipDisplayMode.MULTI)
            .sort(settings.SortOrder.DESCENDING)
        )
        .min(0)
    )
    legend = (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(settings.LegendDisplayMode.LIST)
        .placement(settings.LegendPlacement.BOTTOM)
    )
    if panel.kind == "lines":
        if panel.steps:
            made.thresholds_style(
                common.GraphThresholdsStyleConfig().mode(settings.GraphThresholdsStyleMode.DASHED)
            )
        made.line_width(2).fill_opacity(8).show_points(settings.VisibilityMode.AUTO)
        return made.legend(legend.calcs([]))
    return (
        made.draw_style(settings.GraphDrawStyle.BARS)
        .bar_alignment(settings.BarAlignment.BEFORE)
        .stacking(common.StackingConfig().mode(settings.StackingMode.NORMAL).group("A"))
        .line_width(0)
        .fill_opacity(80)
        .legend(legend.calcs(["sum"]))
    )


def _ranking(_: Panel) -> bargauge.Panel:
    return (
        bargauge.Panel()
        .orientation(settings.VizOrientation.HORIZONTAL)
        .display_mode(settings.BarGaugeDisplayMode.BASIC)
        .value_mode(settings.BarGaugeValueMode.TEXT)
        .name_placement(settings.BarGaugeNamePlacement.LEFT)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.FIXED).fixed_color("blue"))
        .min(0)
    )


def _table(_: Panel) -> table.Panel:
    return table.Panel().show_header(True).cell_height(settings.TableCellHeight.SM)


_KINDS: dict[Kind, Callable[[Panel], AnyPanel]] = {
    "stat": _stat,
    "lines": _timeseries,
    "bars": _timeseries,
    "ranking": _ranking,
    "table": _table,
}


def _target(panel: Panel, query: Query, language: Language) -> prometheus.Dataquery:
    legend = _said(query.legend, language)
    made = prometheus.Dataquery().expr(query.expr).datasource(_SOURCE)
    if panel.kind in ("lines", "bars"):
        made.range().legend_format(legend)
        return made.interval(panel.step) if panel.step else made
    made.instant()
    if panel.kind == "table":
        return made.format(PromQueryFormat.TABLE)
    return made.legend_format(legend)


def _looks(
    query: Query, language: Language
) -> Iterator[tuple[str, list[model.DynamicConfigValue]]]:
    """For each value that the legend can show, its name and colour."""
    label = re.fullmatch(r"\{\{(\w+)\}\}", query.legend if isinstance(query.legend, str) else "")
    words = (word.removesuffix("_total") for word in re.findall(r"\b[a-z_]+\b", query.expr))
    metric = next((_METRICS[word] for word in words if word in _METRICS), None)
    if not label or metric is None:
        return
    for value in metric.labels.get(label[1], ()):
        found = look(metric.name, value)
        if found is None:
            continue
        properties = []
        if found.color:
            color = {"mode": "fixed", "fixedColor": found.color}
            properties.append(model.DynamicConfigValue("color", color))
        if language == "ja" and found.ja != value:
            properties.append(model.DynamicConfigValue("displayName", found.ja))
        if properties:
            yield value, properties


def _said(what: str | Text, language: Language) -> str:
    """In this language, where it is not the same in all."""
    return what if isinstance(what, str) else what[language]


def _thresholds(steps: Steps) -> build.ThresholdsConfig:
    (_, first), *others = steps
    made = [model.Threshold(None, first), *(model.Threshold(*step) for step in others)]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(made)


def _mappings(
    values: Mapping[str, Text], language: Language
) -> Iterator[model.ValueMap | model.SpecialValueMap]:
    if values:
        shown = {
            value: model.ValueMappingResult(text=text[language]) for value, text in values.items()
        }
        yield model.ValueMap(shown)
    yield model.SpecialValueMap(
        model.DashboardSpecialValueMapOptions(
            match=model.SpecialValueMatch.NULL_AND_NAN,
            result=model.ValueMappingResult(text=_NOTHING),
        )
    )


def _link(panel: Panel, language: Language) -> build.DashboardLink:
    name = panel.leads_to
    return build.DashboardLink(name).url(
        f"/d/{uid(name, language)}?var-{name}=${{__field.labels.{name}}}"
        "&var-datasource=${datasource}&${__url_time_range}"
    )


def _columns(made: table.Panel, panel: Panel, language: Language) -> None:
    """Name and order the columns; the time of the query is the same in every row."""
    made.with_transformation(
        model.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {"Time": True},
                "indexByName": {name: at for at, name in enumerate(panel.columns)},
                "renameByName": {name: text[language] for name, text in panel.columns.items()},
            },
        )
    )
