// Lines and stacked columns, drawn by ECharts in place of the server's drawing. The table below each chart has the same points.
const charts = (() => {
  const VALUE = 0, LOW = 1, HIGH = 2, NUMERATOR = 3, DENOMINATOR = 4, COMPLETE = 5;
  const drawn = new Map();

  function colours() {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(`--${name}`).trim();
  }

  const size = () => parseFloat(getComputedStyle(document.documentElement).fontSize) * 0.6875;

  // Values for a solid and a dashed line: dashes connect an incomplete period with its neighbours.
  function halves(points) {
    const at = (place) => points[place]?.[VALUE] ?? null;
    const complete = (place) => points[place]?.[COMPLETE] !== 0;
    const solid = points.map((_, place) => (complete(place) ? at(place) : null));
    const touches = (place) => !complete(place) || !complete(place - 1) || !complete(place + 1);
    const dashed = points.map((_, place) => (touches(place) ? at(place) : null));
    return [solid, dashed];
  }

  function lines(data, colour) {
    const made = [];
    data.series.forEach(({ name, points }, place) => {
      const tint = colour(`s${place % 8}`);
      const shared = { type: "line", name, showSymbol: false, symbol: "circle", symbolSize: 7, z: 3, itemStyle: { color: tint } };
      const [solid, dashed] = halves(points);
      const alone = (values) => values.map((value, at) => (value !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null));
      const lone = alone(solid);
      made.push({
        ...shared,
        showSymbol: lone.some(Boolean),
        data: solid.map((value, at) => ({ value, symbolSize: lone[at] ? 5 : 0.01 })),
        lineStyle: { width: 2, color: tint },
        markLine: place ? undefined : marks(data, colour),
      });
      if (points.some((point) => point && point[COMPLETE] === 0)) {
        made.push({ ...shared, data: dashed, lineStyle: { width: 2, color: tint, type: [3, 4] } });
      }
      if (data.series.length === 1) made.push(...band(points, tint));
    });
    return made;
  }

  function band(points, tint) {
    const shared = { type: "line", stack: "band", stackStrategy: "all", symbol: "none", silent: true, lineStyle: { opacity: 0 }, z: 1 };
    const low = points.map((point) => point?.[LOW] ?? null);
    if (!low.some((value) => value !== null)) return [];
    const width = points.map((point) => (point && point[HIGH] !== null && point[LOW] !== null ? point[HIGH] - point[LOW] : null));
    return [
      { ...shared, data: low },
      { ...shared, data: width, areaStyle: { color: tint, opacity: 0.14 } },
    ];
  }

  function stacks(data, colour) {
    return data.series.map(({ name, points }, place) => ({
      type: "bar",
      name,
      stack: "all",
      barCategoryGap: "24%",
      itemStyle: { color: colour(`s${place % 8}`) },
      data: points.map((point) => ({ value: point?.[VALUE] ?? 0, itemStyle: { opacity: point?.[COMPLETE] === 0 ? 0.35 : 0.85 } })),
      markLine: place ? undefined : marks(data, colour),
    }));
  }

  function marks(data, colour) {
    const places = new Map(); // of each day, the numbers of its marks in the list below the chart
    data.marks.forEach(({ day }, place) => {
      if (data.labels.includes(day)) places.set(day, [...(places.get(day) ?? []), place + 1]);
    });
    if (!places.size) return undefined;
    return {
      silent: true,
      symbol: "none",
      animation: false,
      lineStyle: { color: colour("muted"), type: [2, 3], width: 1 },
      data: [...places].map(([day, numbers]) => ({
        xAxis: day,
        label: { formatter: numbers.length > 1 ? `${numbers[0]}–${numbers.at(-1)}` : String(numbers[0]), color: colour("muted"), fontSize: size(), distance: 4 },
      })),
    };
  }

  function row(className, ...parts) {
    const made = document.createElement("div");
    made.className = className;
    made.append(...parts);
    return made;
  }

  function textIn(tag, text, className = "") {
    const made = document.createElement(tag);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  // Built as elements, never as HTML: names come from the database.
  function tip(data, place) {
    const made = row("tip");
    made.append(textIn("b", words.day(data.labels[place])));
    data.series.forEach(({ name, points }, at) => {
      const point = points[place];
      if (!point) return;
      const parts = [textIn("span", name), textIn("b", words.number(point[VALUE], data.unit))];
      if (data.series.length > 1) parts.unshift(textIn("i", "", `key s${at % 8}`));
      made.append(row("row", ...parts));
      if (data.series.length > 1) return;
      if (point[LOW] !== null && point[HIGH] !== null) {
        made.append(textIn("div", `95 %: ${words.number(point[LOW], data.unit)} – ${words.number(point[HIGH], data.unit)}`, "faint"));
      }
      if (point[DENOMINATOR] !== null && point[NUMERATOR] !== null) {
        made.append(textIn("div", `${words.number(point[NUMERATOR], "count")} of ${words.number(point[DENOMINATOR], "count")}`, "faint"));
      }
    });
    if (data.series.some(({ points }) => points[place]?.[COMPLETE] === 0)) made.append(textIn("div", "Incomplete", "faint"));
    for (const { day, label } of data.marks) {
      if (day === data.labels[place]) made.append(textIn("p", `◆ ${label}`));
    }
    return made;
  }

  function options(data) {
    const colour = colours();
    const text = { color: colour("muted"), fontSize: size(), fontFamily: getComputedStyle(document.body).fontFamily };
    return {
      animation: false,
      grid: { left: 4, right: 14, top: data.marks.length ? 22 : 12, bottom: 2, containLabel: true },
      tooltip: {
        trigger: "axis",
        confine: true,
        transitionDuration: 0,
        backgroundColor: "transparent",
        borderWidth: 0,
        padding: 0,
        extraCssText: "box-shadow: none",
        axisPointer: { type: data.kind === "stack" ? "shadow" : "line", shadowStyle: { color: colour("muted"), opacity: 0.1 }, lineStyle: { color: colour("muted"), type: "solid", width: 1 } },
        formatter: (all) => tip(data, all[0].dataIndex),
      },
      xAxis: {
        type: "category",
        data: data.labels,
        boundaryGap: data.kind === "stack",
        axisTick: { show: false },
        axisLine: { lineStyle: { color: colour("line") } },
        axisLabel: { ...text, formatter: words.short, hideOverlap: true, margin: 10, ...(data.kind === "stack" ? {} : { alignMinLabel: "left", alignMaxLabel: "right" }) },
      },
      yAxis: {
        type: "value",
        min: data.axis.low,
        max: data.axis.high,
        interval: data.axis.step,
        splitLine: { lineStyle: { color: colour("line") } },
        axisLabel: { ...text, formatter: (value) => words.tick(value, data.unit) },
      },
      series: data.kind === "stack" ? stacks(data, colour) : lines(data, colour),
    };
  }

  function draw(figure) {
    const live = figure.querySelector(".live");
    live.hidden = false;
    live.setAttribute("role", "img");
    live.setAttribute("aria-label", figure.querySelector("svg").getAttribute("aria-label"));
    const chart = echarts.init(live);
    chart.setOption(options(JSON.parse(figure.dataset.chart)));
    figure.classList.add("is-live");
    drawn.set(figure, chart);
    resized.observe(figure);
  }

  const resized = new ResizeObserver((all) => {
    for (const { target } of all) drawn.get(target)?.resize();
  });

  const seen = new IntersectionObserver(
    (all) => {
      for (const { target, isIntersecting } of all) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        draw(target);
      }
    },
    { rootMargin: "200px" },
  );

  const isOnScreen = (figure) => figure.offsetParent && figure.getBoundingClientRect().top < innerHeight;

  // Draws the charts of a part of the page: those on the screen after the text, the others once they are near it.
  function apply(root) {
    const figures = [...root.querySelectorAll("[data-chart]")];
    setTimeout(() => {
      for (const figure of figures) {
        if (!figure.isConnected || drawn.has(figure)) continue;
        if (isOnScreen(figure)) draw(figure);
        else seen.observe(figure);
      }
    });
  }

  // Frees the charts that are no longer in the page.
  function forget() {
    for (const [figure, chart] of drawn) {
      if (figure.isConnected) continue;
      resized.unobserve(figure);
      chart.dispose();
      drawn.delete(figure);
    }
  }

  function recolour() {
    for (const [figure, chart] of drawn) chart.setOption(options(JSON.parse(figure.dataset.chart)), true);
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  return { apply, forget, recolour };
})();
