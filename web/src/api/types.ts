/** The documents of the REST API, as internal/api/openapi.yaml describes them. Sizes are bytes, times RFC 3339. */

export type State = "queued" | "waiting" | "ignored" | "running" | "done" | "failed";
export type Liveness = "running" | "hung" | "not-running" | "never-started" | "starting";
export type StageStatus = "done" | "skipped" | "failed" | "not-run";

export interface Space {
  dir: string;
  free: number;
  total: number;
  reserved: number;
}

export interface Held {
  name: string;
  state: "waiting" | "ignored" | "";
  reason: string;
  since: string;
}

export interface Status {
  mode: "disk" | "manifest" | "";
  running: boolean;
  queue_depth: number;
  active_jobs: number;
  processed_today: number;
  failed_today: number;
  max_workers: number;
  uptime_seconds: number;
  liveness: Liveness;
  state: string;
  paused: boolean;
  reasons: string[];
  version: string;
  heartbeat_age_seconds?: number;
  started_at?: string;
  stopped_at?: string;
  readiness?: string;
  watching?: string;
  acceleration?: string;
  busy: number;
  counts: { queued: number; waiting: number; ignored: number; running: number; done_today: number; failed_today: number };
  bytes_per_second: number;
  space: Space[];
  held: Held[];
  held_more: number;
  workflow_dir: string;
  output_dir?: string;
  import_roots: string[];
  output_roots: string[];
}

export interface Job {
  id: string;
  name: string;
  stage: string;
  progress: number;
  started_at: string | null;
  elapsed_seconds: number;
  status: string;
  state: State;
  reason?: string;
  job_id: string;
  original_name?: string;
  kind?: string;
  size?: number;
  date?: string;
  queued_at?: string;
  finished_at?: string;
  stage_index?: number;
  stage_count?: number;
  bytes_done?: number;
  bytes_total?: number;
  bytes_per_second?: number;
  eta_seconds?: number;
  message?: string;
  output_dir?: string;
  code?: string;
  hint?: string;
  warnings?: number;
  submitter_uid?: number;
  /** 1 (last) to 100 (first). */
  priority: number;
  path: string;
}

export interface Warning {
  code: string;
  stage?: string;
  message: string;
  hint?: string;
}

export interface StageReport {
  name: string;
  status: StageStatus;
  reason?: string;
  seconds: number;
}

export interface JobDetail extends Job {
  has_log: boolean;
  has_report: boolean;
  evidence?: string[] | null;
  ended?: { stage?: string; exception?: string; retryable?: boolean; warnings?: Warning[] };
  record?: { stages?: StageReport[] | null } & Record<string, unknown>;
}

export interface JobList {
  jobs: Job[];
  total: number;
  first: number;
  next?: string;
  counts?: Partial<Record<State, number>>;
  more?: boolean;
}

export interface DiskReport {
  source: string;
  source_format: string;
  source_variant?: string;
  chain?: string[];
  virtual_size: number;
  allocated_bytes: number;
  output: string;
  output_format: string;
  output_bytes: number;
  content_digest: string;
  proved: boolean;
}

export interface Repair {
  fixer: string;
  path?: string;
  why: string;
  diff?: string;
  command?: string[];
  proof?: string;
  output?: string;
  failed?: string;
  seconds?: number;
}

export interface BootTest {
  passed: boolean;
  why: string;
  evidence?: string;
  login?: string;
  seconds: number;
  disks: string;
  firmware: string;
  serial_log?: string;
  screenshot?: string;
}

export interface Report {
  id: string;
  name: string;
  status: string;
  version: string;
  seconds: number;
  stages?: StageReport[] | null;
  disks?: DiskReport[] | null;
  domain_xml?: string;
  system?: unknown;
  repairs?: Repair[] | null;
  undo?: string;
  boot_test?: BootTest;
  warnings?: Warning[] | null;
}

export interface ManifestProblem {
  code: string;
  severity: "error" | "warning";
  file: string;
  line: number;
  column: number;
  end_column: number;
  path: string;
  message: string;
  hint?: string;
}

export interface Validation {
  valid: boolean;
  errors: string[];
  warnings: string[];
  problems: ManifestProblem[];
  vms: string[];
}

export interface Submission {
  success: true;
  manifest_path: string;
  job_id: string;
  id: string;
  vms: string[];
  waits_for: string[];
  warnings: string[];
  replayed: boolean;
}

export interface StagePlan {
  name: string;
  does?: string[];
  skip?: string;
}

export interface DiskPlan {
  source: string;
  output: string;
  format: string;
  compression?: string;
  virtual_size: number;
  read_bytes: number;
  max_bytes: number;
}

export interface Plan {
  name: string;
  stages: StagePlan[];
  disks: DiskPlan[] | null;
  max_bytes?: number;
  warnings: Warning[] | null;
}

export interface History {
  step_seconds: number;
  spans: { from: string; done: number; failed: number }[];
}

export interface Code {
  id: string;
  title: string;
  cause: string;
  hint: string;
  retryable: boolean;
}

export interface FailureGroup {
  code: string;
  title: string;
  cause: string;
  hint: string;
  retryable: boolean;
  count: number;
  newest: Job;
  ids: string[];
}

export interface Failures {
  failures: FailureGroup[];
  more?: boolean;
}

/** A finding of hyperctl doctor. */
export interface Finding {
  check: string;
  verdict: "ok" | "warn" | "fail";
  detail: string;
  fix?: string;
}

export interface Session {
  role: "read" | "full";
  name: string;
}

export interface Problem {
  title: string;
  status: number;
  detail: string;
  code: string;
  hint?: string;
  problems?: ManifestProblem[];
}

export interface Answer {
  success: true;
  id?: string;
  message: string;
}
