/* Types of the names that every view shares: the parameters that Gradio passes to its script, and `tp`. */

/** A view's root. A script finds every element of its own template, and these are HTML. */
type View = {
  querySelector<Tag extends keyof HTMLElementTagNameMap>(tag: Tag): HTMLElementTagNameMap[Tag];
  querySelector(selector: string): HTMLElement;
} & HTMLElement;
type Trigger = (event: string, data?: { [name: string]: any }) => void;
type Watch = (names: string | string[], callback: () => void) => void;
/** Fields of any answer: the error as a sentence, or the tab that shows the run instead. */
type Answer = { error?: string; reason?: string; tab?: string };
/** A view's script. Each function of `server` calls the Python function of the same name (answers.py). */
type Script<Server> = (
  element: View,
  trigger: Trigger,
  props: any,
  server: Server,
  upload: unknown,
  watch: Watch,
) => void;

/** The parameters of a view's script, as Gradio passes them. */
interface Given {
  element: View;
  trigger: Trigger;
  props: any;
  server: any;
  upload: unknown;
  watch: Watch;
}

/** Events that one view dispatches on another's root. */
interface HTMLElementEventMap {
  learnfrom: CustomEvent<{ source: string; tokenizer: string; size: number; text?: string }>; // and trains at once
  spec: CustomEvent<any>;
}

declare const tp: Tp;
interface Window {
  tp: Tp;
}

/** Calls a function of the server by name. If the server does not answer, the result is an `error`. */
type Asker<Server> = <Name extends keyof Server>(
  name: Name,
  ...args: Server[Name] extends (...args: infer Args) => unknown ? Args : never
) => Server[Name] extends (...args: any[]) => infer Found ? Found : never;

/* ---------------------------------------------------------------- elements */

/** Tags that `el` builds as SVG: SVG_TAGS in elements.js. */
type SvgTag =
  | ("svg" | "g" | "path" | "line" | "rect" | "circle" | "ellipse" | "polyline" | "polygon" | "text" | "tspan")
  | ("defs" | "marker" | "clipPath" | "mask" | "pattern" | "linearGradient" | "radialGradient" | "stop" | "use")
  | ("symbol" | "image" | "foreignObject" | "title" | "desc");
type ElementTags = Omit<HTMLElementTagNameMap, SvgTag> & Pick<SVGElementTagNameMap, SvgTag>;
type Handlers = { [Name in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[Name]) => unknown };
type Attribute = string | number | boolean | null | undefined;
type Attributes = { on?: Handlers; [name: string]: Attribute | Handlers };
type TableAttributes = Attributes & { caption?: string };
type Column = string | Attributes | HTMLTableCellElement | false;
type Child = Node | string | number | false | null | undefined | Child[];

/* ---------------------------------------------------------------- figures */

type Rgb = [red: number, green: number, blue: number];
type Cell = string | number | boolean | null | undefined;
type Row = Iterable<Cell>;

interface ChartLine {
  id: string | number;
  name?: string;
  /** The class that colours it; "raw" is faint and has no legend. */
  style: string;
  /** Ascending. */
  x: ArrayLike<number>;
  y: ArrayLike<number>;
  /** The number of values; `x` and `y` may be longer. */
  n: number;
  dots?: boolean;
  /** Whether the axis fits these values, and which share of them it must show (without it, all). */
  fit?: boolean;
  keep?: number;
  format?: (value: number) => string;
}

interface ChartPanel {
  id: string;
  title: string;
  unit?: string;
  height: number;
  log?: boolean;
  /** The axis begins at zero. */
  zero?: boolean;
  range?: number[];
  format?: (value: number) => string;
  lines: ChartLine[];
  references?: Reference[];
}

/** A labelled level: its label stands beside the panel, with the value where there is room; `tip` explains it. */
interface Reference {
  y: number;
  text: string;
  value?: string;
  tip?: string;
}

interface ChartData {
  x: { low: number; high: number; name: string };
  panels: ChartPanel[];
  marks: { x: number; text: string; kind: string }[];
  summary: string;
}

type Zoom = [low: number, high: number] | null;

/** The place of a value, in pixels. */
type Scale = (value: number) => number;

interface Curves {
  ticks(low: number, high: number, most: number): number[];
  logTicks(low: number, high: number, most: number): number[];
  niceStep(range: number, most: number): number;
  indexOf(xs: ArrayLike<number>, n: number, x: number): number;
  curve(line: ChartLine, from: number, to: number, X: Scale, Y: Scale): string;
  dots(line: ChartLine, from: number, to: number, X: Scale, Y: Scale, most: number): string;
  /** `spans` are the indices [from, to] of each line that are in sight. */
  extent(panel: ChartPanel, spans: number[][]): number[];
  apart(places: number[], least: number, low: number, high: number): number[];
}

interface Chart {
  svg: SVGSVGElement;
  update(data: ChartData): void;
  reset(): void;
  isZoomed(): boolean;
}

interface Film {
  node: HTMLElement;
  draw(): void;
  clear(): void;
  stop(): void;
  playing(): boolean;
}

interface FilmOptions {
  id: string;
  label: string;
  text: { play: string; pause: string };
  count(): number;
  at(): number;
  goTo(index: number): unknown;
  name(index: number): string;
  marks?(): boolean[];
  stops?: (() => number[] | null) | null;
  above?: Child;
  ahead?(): void;
  begun?(): void;
  rested?(): void;
}

/** What a view shows of one checkpoint. */
interface CheckpointFrame {
  step: number;
  steps: number[];
  stored?: boolean[];
}
type CheckpointFilmOptions = Pick<FilmOptions, "id" | "goTo"> &
  Partial<FilmOptions> & { frame(): CheckpointFrame | null };

interface CheckpointViewOptions<State, Found> {
  id: string;
  name: string;
  root: HTMLElement;
  props: any;
  watch: Watch;
  state: State;
  fresh: Partial<State>;
  ask(): Promise<Found & Answer>;
  show(found: Found): void;
  frame(): CheckpointFrame | null;
  stored(): Promise<Answer & { steps: number[] }>;
  forget(): void;
}

interface PollOptions {
  hz?: number;
  hidden_hz?: number;
  element?: HTMLElement | null;
}

/* ---------------------------------------------------------------- runs, and addresses */

/** Columns of equal length that grow, each a property: feed.js. */
type RunTable<Name extends string, Value = number> = { [name in Name]: Value[] } & {
  step: number[];
  readonly n: number;
  add(row: { [name in Name | "step"]: unknown }): void;
  last(name: Name | "step"): number;
  cut(step: number): void;
  halve(): void;
};
type StepColumn = "loss" | "mean" | "lr" | "grad_norm" | "tokens" | "seconds" | "time" | "smooth" | "clock";
type FeedNote = Omit<Answers.LoggedNote, "kind"> & { kind: Answers.LoggedNote["kind"] | "restarted" };

/** A run that a view follows: feed.js. `About` and `News` are what the view's own server adds. */
interface Feed<About = Answers.RunAbout, News = Answers.RunNews> {
  run: string;
  offset: number;
  loaded: boolean;
  error: string | null;
  about: About | null;
  status: News extends { status: infer Status } ? Status | null : never;
  steps: RunTable<StepColumn>;
  evaluated: RunTable<"loss" | "accuracy">;
  samples: Answers.LoggedSample[];
  probes: number[];
  saved: number[];
  notes: FeedNote[];
  working: Answers.LoggedWork | null;
  readonly trained: number;
  updating: number;
  clocked: number;
  stored: number;
  readonly name: string;
  readonly step: number;
  readonly total: number;
  readonly state: string;
  readonly over: boolean;
  readonly tested: boolean;
  short(most?: number): string;
  fileName(what: string): string;
  read(ask: (run: string, offset: number) => Promise<News & Answer>, wanted?: () => boolean): Promise<boolean>;
  learn(answer: News): boolean;
  cut(step: number): void;
  gap(i: number): number;
  smooth(window: number): void;
  tokensPerSecond(): number;
  stepSeconds(): number;
  secondsLeft(): number;
}
/** A run that trains or waits. */
type Going = { id: string; name: string; step?: number; total?: number; state?: string };
/** What a state of a run is called: run_states.py. */
type RunState = { word: string; mark: string; over: boolean };

/** How a value is written in an address, and read: address.js. */
interface AddressType<T> {
  read(told: string): T | undefined;
  write(value: T): string | null;
  values?: T[];
}
type AddressField = [names: string | string[], type: AddressType<any>, usual: unknown];

interface Address {
  usual: { [property: string]: any };
  choices(property: string): any[];
  read(link?: { [name: string]: string }): { [property: string]: any };
  save(): void;
}

/* ---------------------------------------------------------------- lessons */

/** What an experiment came to: the measured value (null: the run diverged) and the number of the answer that covers it. */
type Result = { value: number | null; right: number | null; measure: string; run: string | null; stored: boolean };
/** What is known of a step of a lesson; `seen`: it was done on the page. */
type Progress = { done?: boolean; predicted?: number; result?: Result; seen?: boolean };
type Drawn = { node: HTMLElement; draw(): void };
type Block = { kind: string; [name: string]: any };
/** A row of a suite's table.csv. */
type Measured = { [column: string]: string };

/* ---------------------------------------------------------------- all of it */

type Language = "en" | "zh";
type Memory = { runs: string[]; shown: string | null; keys: { [run: string]: string } };

/** A term of the glossary; `title` is that of its lesson. */
interface Term {
  en: string;
  zh: string;
  means: string;
  means_zh: string;
  lesson: string;
  title: { en: string; zh: string };
  everyday?: boolean;
  also?: string[];
}

/** The numbers of a lesson's table, and the fields that change them: tables.js. */
interface Changeable<Numbers> {
  now: Numbers;
  field(
    label: string,
    path: (string | number)[],
    more?: Attributes,
    allowed?: (typed: number) => number,
  ): HTMLInputElement;
  slider(
    name: string,
    label: string,
    path: (string | number)[],
    range: { min: number; max: number; step: number },
  ): HTMLElement;
  set(change: Partial<Numbers>): void;
  reset(): void;
}

interface Arrow {
  nodes: Node[];
  tip: SVGCircleElement;
  show(tip: number[], name: number[]): void;
}

interface Tp {
  browser: {
    recall(key: string): string | null;
    remember(key: string, text: string): void;
    copy(text: string): Promise<boolean>;
    address(next: string, push?: boolean): boolean;
  };

  language: Language;
  speak(language: Language): void;
  words<Words>(table: { en: Words; zh: NoInfer<Words> }): Words;
  tables: { en: object; zh: object }[];
  part(view: string, script: Script<any>): void;
  draw(file: string, given: Given, initial: { [name: string]: any }): Promise<void>;
  catalogues: { [language: string]: string };
  needs: { [view: string]: string };
  needed(view: string): Promise<void>;
  set catalogue(all: { [language: string]: { [english: string]: string } });
  translate(sentence: string): string;
  translate<Nothing>(sentence: Nothing): Nothing;
  label(field: string): string;
  labels: { [field: string]: string };
  runName(run: { name: string; shipped?: boolean }): string;
  told<S extends object>(server: S): S;
  withConstants(props: any, constants: { [name: string]: any }): any;

  url: {
    first(name: string): string | null;
    cameWith(): boolean;
    get(name: string): string | null;
    set(
      changes: { [name: string]: string | number | boolean | null | undefined },
      how?: { push?: boolean; kept?: boolean },
    ): boolean;
    served(path: string): string;
  };
  tabs: { first(): string | null; shown(name: string): void; open(name: string | null): HTMLElement | null };
  memory: {
    read(): Memory;
    write(stored: Memory): void;
    watch(callback: () => void): void;
    add(run: string, key?: string | null): void;
    key(run: string): string;
  };
  when(created: number): string;
  beside(others: Going[]): Promise<"beside" | "stop" | null>;
  sureToDelete(name: string, id: string): Promise<boolean>;
  keyed<S extends object>(server: S, names?: string[]): S;
  keyedTrigger(trigger: Trigger): Trigger;

  codePoint(code: number): string;
  visible(text: string): string;
  beginning(text: string, shown?: (char: string) => string): string;
  inWords(pieces: string[]): boolean;
  shownPieces(pieces: string[]): string[];
  number(value: number | null | undefined, digits?: number): string;
  percent(share: number, digits?: number): string;
  duration(seconds: number, how?: { rough?: boolean }): string;
  size(bytes: number): string;
  series(parts: Iterable<string | number>): string;
  named(name: string, what: string | number): string;
  sentences(parts: (string | false | null | undefined)[]): string;
  kind(name: string): string;
  halves(text: string): number;
  bytes(base64: string): Uint8Array<ArrayBuffer>;
  floats(base64: string): Float32Array<ArrayBuffer>;
  saveText(filename: string, text: string, type: string): void;
  readText(file: Blob): Promise<{ text: string; problem?: undefined } | { problem: string; text?: undefined }>;

  el<Tag extends keyof ElementTags>(tag: Tag, attributes?: Attributes | null, ...children: Child[]): ElementTags[Tag];
  fold(attributes: Attributes, title: string, teaser: string, body: Child): HTMLDetailsElement;
  button(text: Attribute, attributes: Attributes, click: (event: MouseEvent) => unknown): HTMLButtonElement;
  drawing(width: number, height: number, attributes: Attributes, children?: Child): SVGSVGElement;
  segments<Value extends string>(
    label: string,
    options: { [value in Value]: string },
    pick: (value: Value) => void,
    more?: { id?: string; titles?: { [value: string]: string } },
  ): { field: HTMLElement; buttons: HTMLButtonElement[]; press(value: string): void };
  table(attributes: TableAttributes, columns: Column[], rows: Child[], foot?: Child[]): HTMLTableElement;
  tableHead(columns: Column[]): HTMLTableSectionElement;
  tableRow(attributes: Attributes, name: Child, cells: Child[]): HTMLTableRowElement;
  put(node: Node, content: string): void;
  depict(drawing: Element, label: string): void;
  unsaid<Nodes extends Child[]>(...nodes: Nodes): Nodes;
  fetchFile(address: string, filename: string): void;
  saveBar(of: { figure?: (() => Element) | null; rows?: (() => Row[]) | null; name(): string }): HTMLElement;
  colour(name: string): string;
  onTheme(callback: () => void): () => void;
  heat(value: number): Rgb;
  diverge(value: number): Rgb;
  poll(ask: () => unknown, options?: PollOptions): { now(): void; stop(): void };
  say(text: string): void;
  elsewhere(root: HTMLElement, message: HTMLElement, sentence: string, tab: string | null | undefined): void;
  tip(content: string | Node | null, x?: number, y?: number): void;
  scheduler(ready?: () => unknown): (...draws: (() => void)[]) => void;
  asker<Server extends object>(server: Server, offline: () => string): Asker<Server>;
  whenSeen(node: Element, begin: () => void): void;

  count(value: number): string;
  fixed(value: number, digits?: number): string;
  scientific(value: number): string;
  loss(value: number): string;
  rounded(share: number): string;
  css(colour: number[]): string;
  inkOn(colour: number[]): string;
  calm(): boolean;

  address(view: string, values: () => { [property: string]: unknown }): Address;
  link(
    view: string,
    values: { [property: string]: unknown },
    more?: { [name: string]: string | number | null },
  ): string;
  addresses: object;
  MAX_IDS: number;
  Feed: new <About = Answers.RunAbout, News = Answers.RunNews>(run: string, window?: number) => Feed<About, News>;
  Recent: new (most: number, sizeOf?: (value: any) => number) => Map<any, any>;
  newest(stops: { steps: number[]; stored: boolean[] }): number;
  Table: new <Name extends string, Value = number>(...names: Name[]) => RunTable<Name, Value>;
  smoothed(steps: ArrayLike<number>, values: ArrayLike<number>, window?: number): number[];
  SMOOTHING: number;
  states: { [state: string]: RunState };

  curves: Curves;
  chart(host: HTMLElement, options?: { onZoom?: (zoom: Zoom) => void }): Chart;
  film(options: FilmOptions): Film;
  checkpointFilm(options: CheckpointFilmOptions): Film;
  checkpointView<State extends { run: string; step: number | null }, Found>(
    options: CheckpointViewOptions<State, Found>,
  ): { film: Film; message: HTMLElement; choose(change: Partial<State>): Promise<void> };
  point: {
    at(selector: string, how?: { seconds?: number; found?: () => void; block?: ScrollLogicalPosition }): void;
    stop(): void;
  };
  terms: {
    mark(node: Element, terms: Term[]): void;
    find(text: string, terms: Term[], used?: Set<Term>): { start: number; end: number; term: Term }[];
    means(term: Term): string;
    lesson(term: Term): HTMLAnchorElement;
  };
  record: {
    answers(): { [id: string]: { right: boolean; at: number; solved?: boolean } };
    answered(id: string, right: boolean, now?: number): void;
    solved(id: string): boolean;
    cards(): { [id: string]: { box: number; due: number } };
    reviewed(id: string, right: boolean, now?: number): void;
    due(ids: string[], now?: number): string[];
    next(ids: string[], now?: number): number | null;
    calibration(list: { predicted: number | null; right: number | null }[]): { right: number; all: number };
    written(now?: number): string;
    taken(text: string): void;
    clear(): void;
  };
  lessons: {
    progress: {
      read(name: string): { [step: number]: Progress };
      set(name: string, step: number, values: Progress): void;
      done(name: string): number;
      all(): { [name: string]: { [step: string]: Progress } };
      replace(all: { [name: string]: { [step: string]: Progress } }): void;
    };
    address(name: string | null, at?: number | null): string;
    read(name: string | null, at?: number | null): void;
    link(name: string | null, at: number | null, attributes: Attributes): HTMLAnchorElement;
    experiment(name: string, at: number, stored?: boolean): void;
    on: { read: string; experiment: string; progress: string };
    asking(page: Answers.LessonPage, at: number): number | null;
    prediction(page: Answers.LessonPage, at: number): Drawn;
    judge(
      call: Asker<Pick<Servers["coach"], "check">>,
      page: Answers.LessonPage,
      at: number,
    ): Promise<Answers.StepResult | null>;
    came(result: Result): string;
    verdict(page: Answers.LessonPage, at: number, state: Answers.StepResult | null): (string | HTMLElement)[];
    open(query: string): void;
    opened(act: (wanted: { [name: string]: string }) => unknown): void;
    linked(tab: string, act: (wanted: { [name: string]: string }) => unknown): void;
    blocks(blocks: Block[]): Node[];
    spans(list: string[][]): (string | HTMLElement)[];
    draw: { [kind: string]: (block: any) => Node };
    picture(svg: string, alternative: string): Element;
    typed(text: string): number;
    coloured(line: string, inside?: string): { parts: [kind: string, text: string][]; inside: string };
    sheets: {
      sheets: { [name: string]: (values: any) => { name: string; nodes: Child[]; reset(): void } };
      bar(): { node: HTMLElement; show(share: number): void };
      button(text: string, more: Attributes, click: () => void): HTMLButtonElement;
      labelled(label: string, input: HTMLElement): HTMLElement;
      plane(label: string, size: number, children: Child[]): SVGSVGElement;
      arrow(n: number, middle: number, r: number, name: Attributes): Arrow;
      vector(numbers: number[]): string;
      changeable<Numbers extends object>(first: Numbers, draw: () => void): Changeable<Numbers>;
    };
  };
  running: {
    filtered(
      logits: number[],
      settings?: { temperature?: number; k?: number; p?: number; least?: number },
    ): { before: number[]; after: number[]; removed: (null | "top-k" | "top-p" | "min-p")[] };
    entropy(shares: number[]): number;
    moves(
      gradients: number[],
      betas: { beta1: number; beta2: number },
    ): { gradient: number; momentum: number; mean: number; root: number; adam: number }[];
    clip(gradient: number[], limit: number): { length: number; factor: number; clipped: number[] };
    route(
      scores: number[][],
      k: number,
    ): { shares: number[][]; gates: number[][]; first: number[]; mean: number[]; loss: number };
    cached(sizes: { layers: number; heads: number; width: number; tokens: number; bytes: number }): {
      each: number;
      numbers: number;
      bytes: number;
    };
  };
  worked: {
    softmax(logits: number[], temperature?: number): number[];
    surprise(logits: number[], target: number, temperature?: number): number;
    gradient(logits: number[], target: number): number[];
    dot(a: number[], b: number[]): number;
    size(a: number[]): number;
    cosine(a: number[], b: number[]): number;
    attention(given: {
      q: number[][];
      k: number[][];
      v: number[][];
      asks: number;
      scaled?: boolean;
      masked?: boolean;
    }): { products: number[]; scores: number[]; seen: number[]; weights: number[]; output: number[] };
    heads(given: { scores: number[][]; v: number[][] }): { weights: number[]; output: number[] }[];
    rotated(pair: number[], degrees: number): [number, number];
    rope(given: { q: number[]; k: number[]; angle: number; m: number; n: number }): {
      query: [number, number];
      key: [number, number];
      product: number;
    };
    silu(x: number): number;
    gate(given: { a: number[]; b: number[] }): { opened: number[]; products: number[]; output: number };
    rms(x: number[]): number;
    normed(x: number[]): number[];
    parameters(given: { vocabulary: number; width: number; layers: number; hidden: number }): {
      embedding: number;
      attention: number;
      feedforward: number;
      norms: number;
      total: number;
    };
    step(given: { x: number; y: number; w: number; rate: number }): {
      prediction: number;
      loss: number;
      gradient: number;
      next: number;
    };
    words(text: string): string[][];
    frequent(list: string[][]): { pair: [string, string]; count: number }[];
    merge(list: string[][], pair: [string, string]): string[][];
    spread(given: { guess: number; right: number; certainty: number; shares: number[] }): number;
    bits(probability: number): number;
  };
}
