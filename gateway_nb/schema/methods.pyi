"""The gateway's methods as attributes, of @openclaw/gateway-protocol 2026.9.1; `gateway-nb schema stubs` writes this file."""

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

Object: TypeAlias = dict[str, Any]
Array: TypeAlias = list[Any]  # a method may be named list

class Part:
    def __getattr__(self, part: str) -> AnyMethod: ...
    def __getitem__(self, part: str) -> AnyMethod: ...
    def getdoc(self) -> str: ...

class AnyMethod(Part):
    def __call__(self, **params: Any) -> Any: ...

class AgentsCreateResult(TypedDict):
    ok: Literal[True]
    agentId: str
    name: str
    workspace: str
    model: NotRequired[str]

class AgentsDeleteResult(TypedDict):
    ok: Literal[True]
    agentId: str
    removedBindings: int
    removed: NotRequired[Array]
    failed: NotRequired[Array]
    purgeFailed: NotRequired[Literal[True]]

class AgentsFilesGetResult(TypedDict):
    agentId: str
    workspace: str
    file: Object

class AgentsFilesListResult(TypedDict):
    agentId: str
    workspace: str
    files: Array

class AgentsFilesSetResult(TypedDict):
    ok: Literal[True]
    agentId: str
    workspace: str
    file: Object

class AgentsListResult(TypedDict):
    defaultId: str
    ownership: NotRequired[Literal['sole', 'legacy', 'explicit']]
    selectionRequired: NotRequired[bool]
    mainKey: str
    scope: Literal['per-sender', 'global']
    agents: Array

class AgentsUpdateResult(TypedDict):
    ok: Literal[True]
    agentId: str

class AgentsWorkspaceGetResult(TypedDict):
    agentId: str
    file: Object

class AgentsWorkspaceListResult(TypedDict):
    agentId: str
    path: str
    parentPath: NotRequired[str]
    entries: Array
    totalEntries: int
    offset: int

class ApprovalGetResult(TypedDict):
    approval: Object

class ApprovalHistoryResult(TypedDict):
    items: Array
    nextCursor: NotRequired[str]

class ApprovalResolveResult(TypedDict):
    applied: bool
    approval: Object

class ArtifactsDownloadResult(TypedDict):
    artifact: Object
    encoding: NotRequired[Literal['base64']]
    data: NotRequired[str]
    url: NotRequired[str]
    expiresAt: NotRequired[str]

class ArtifactsGetResult(TypedDict):
    artifact: Object

class ArtifactsListResult(TypedDict):
    artifacts: Array

class AuditActivityListResult(TypedDict):
    events: Array
    nextCursor: NotRequired[str]

class AuditListResult(TypedDict):
    events: Array
    nextCursor: NotRequired[str]

class AuditRunInspectResult(TypedDict):
    schemaVersion: Literal[1]
    run: Object
    identity: Object
    decisionDisplays: Array
    coverage: Object
    nextDecisionCursor: NotRequired[str]
    nextExecutionCursor: NotRequired[str]

class BoardWidgetAppViewResult(TypedDict):
    viewId: str
    expiresAtMs: int

class BoardWidgetPutResult(TypedDict):
    sessionKey: str
    revision: int
    tabs: Array
    widgets: Array
    resolvedWidgetName: str

class ChannelsPairingApproveResult(TypedDict):
    requestId: str
    senderId: str
    notification: Literal['not-requested', 'sent', 'unsupported', 'failed']
    commandOwnerBootstrap: Literal['not-requested', 'configured', 'already-configured', 'unavailable']

class ChannelsPairingDismissResult(TypedDict):
    requestId: str
    senderId: str

class ChannelsPairingListResult(TypedDict):
    accounts: Array
    requests: Array
    commandOwnerConfigured: bool
    limits: Object

class ChannelsStatusResult(TypedDict):
    ts: int
    channelOrder: Array
    channelLabels: Object
    channelDetailLabels: NotRequired[Object]
    channelSystemImages: NotRequired[Object]
    channelMeta: NotRequired[Array]
    channels: Object
    channelAccounts: Object
    channelDefaultAccountId: Object
    eventLoop: NotRequired[Object]
    partial: NotRequired[bool]
    warnings: NotRequired[Array]

class ChatMessageGetResult(TypedDict):
    ok: bool
    message: NotRequired[Any]
    unavailableReason: NotRequired[Literal['not_found', 'oversized', 'not_visible']]

class ChatToolTitlesResult(TypedDict):
    titles: Object
    disabled: NotRequired[bool]

class CommandsListResult(TypedDict):
    commands: Array

class ConfigSchemaLookupResult(TypedDict):
    path: str
    schema: Any
    reloadKind: NotRequired[Literal['restart', 'hot', 'none']]
    hint: NotRequired[Object]
    hintPath: NotRequired[str]
    children: Array

class CronScratchGetResult(TypedDict):
    scratch: Object | None
    currentRevision: int
    maxBytes: int

class DesktopObserveResult(TypedDict):
    transport: Literal['rfb']
    wsPath: str
    expiresAtMs: int
    control: bool
    vncPassword: NotRequired[str]
    auth: NotRequired[Literal['none', 'vnc-password', 'ard-account']]
    preauthenticated: NotRequired[bool]

class DevicePairSetupCodeResult(TypedDict):
    setupId: NotRequired[str]
    setupCode: str
    joinUrl: NotRequired[str]
    qrDataUrl: NotRequired[str]
    gatewayUrl: str
    gatewayUrls: NotRequired[Array]
    auth: Literal['token', 'password']
    urlSource: str
    access: NotRequired[Literal['full', 'limited', 'node']]
    accessDowngraded: NotRequired[bool]
    expiresAtMs: NotRequired[int]

class DevicePairSetupStatusResult(TypedDict):
    completion: NotRequired[Object]
    deliveryUncertain: NotRequired[Object]

class DeviceTokenRotateResult(TypedDict):
    deviceId: str
    role: str
    token: NotRequired[str]
    scopes: Array
    rotatedAtMs: int
    tokenDelivery: NotRequired[Literal['in-band', 'withheld-cross-device']]

class EnvironmentsCreateResult(TypedDict):
    id: str
    type: str
    label: NotRequired[str]
    status: Literal['available', 'unavailable', 'starting', 'stopping', 'error']
    platform: NotRequired[str]
    sessionHost: NotRequired[bool]
    workerSlots: NotRequired[Object]
    workerBundle: NotRequired[Object]
    lastConnectedAtMs: NotRequired[int]
    lastDisconnectedAtMs: NotRequired[int]
    lastSeenAtMs: NotRequired[int]
    lastSeenReason: NotRequired[str]
    trust: NotRequired[Literal['persistent', 'disposable']]
    capabilities: NotRequired[Array]
    invocableCommands: NotRequired[Array]
    desktop: NotRequired[bool]
    issues: NotRequired[Array]
    worker: NotRequired[Object]

class EnvironmentsDestroyResult(TypedDict):
    id: str
    type: str
    label: NotRequired[str]
    status: Literal['available', 'unavailable', 'starting', 'stopping', 'error']
    platform: NotRequired[str]
    sessionHost: NotRequired[bool]
    workerSlots: NotRequired[Object]
    workerBundle: NotRequired[Object]
    lastConnectedAtMs: NotRequired[int]
    lastDisconnectedAtMs: NotRequired[int]
    lastSeenAtMs: NotRequired[int]
    lastSeenReason: NotRequired[str]
    trust: NotRequired[Literal['persistent', 'disposable']]
    capabilities: NotRequired[Array]
    invocableCommands: NotRequired[Array]
    desktop: NotRequired[bool]
    issues: NotRequired[Array]
    worker: NotRequired[Object]

class EnvironmentsListResult(TypedDict):
    environments: Array
    profiles: NotRequired[Array]

class EnvironmentsStatusResult(TypedDict):
    id: str
    type: str
    label: NotRequired[str]
    status: Literal['available', 'unavailable', 'starting', 'stopping', 'error']
    platform: NotRequired[str]
    sessionHost: NotRequired[bool]
    workerSlots: NotRequired[Object]
    workerBundle: NotRequired[Object]
    lastConnectedAtMs: NotRequired[int]
    lastDisconnectedAtMs: NotRequired[int]
    lastSeenAtMs: NotRequired[int]
    lastSeenReason: NotRequired[str]
    trust: NotRequired[Literal['persistent', 'disposable']]
    capabilities: NotRequired[Array]
    invocableCommands: NotRequired[Array]
    desktop: NotRequired[bool]
    issues: NotRequired[Array]
    worker: NotRequired[Object]

class ExecApprovalGrantsListResult(TypedDict):
    grants: Array

class ExecApprovalGrantsRevokeResult(TypedDict):
    outcome: Literal['revoked', 'already-revoked', 'not-found']

class FsListDirResult(TypedDict):
    path: str
    parent: NotRequired[str]
    home: str
    entries: Array

class GatewaySuspendResumeResult(TypedDict):
    ok: Literal[True]
    status: Literal['running']
    resumed: bool

class LogsTailResult(TypedDict):
    file: str
    cursor: int
    size: int
    lines: Array
    truncated: NotRequired[bool]
    reset: NotRequired[bool]
    skippedBytes: NotRequired[int]

class MigrationsMemoryApplyResult(TypedDict):
    providerId: str
    source: str
    target: NotRequired[str]
    summary: Object
    items: Array
    warnings: NotRequired[Array]
    backupPath: NotRequired[str]
    reportDir: NotRequired[str]

class MigrationsMemoryPlanResult(TypedDict):
    agentId: str
    workspace: str
    providers: Array

class ModelsListResult(TypedDict):
    models: Array
    providerOutcomes: NotRequired[Array]

class ModelsProbeResult(TypedDict):
    provider: str
    status: Literal['ok', 'auth', 'rate_limit', 'billing', 'timeout', 'format', 'unknown', 'no_model']
    latencyMs: NotRequired[int]
    error: NotRequired[str]
    results: Array

class NodeEventResult(TypedDict):
    ok: bool
    event: str
    handled: bool
    reason: NotRequired[str]

class NodePendingDrainResult(TypedDict):
    nodeId: str
    revision: int
    items: Array
    hasMore: bool

class NodePendingEnqueueResult(TypedDict):
    nodeId: str
    revision: int
    queued: Object
    wakeTriggered: bool

class PluginsInspectResult(TypedDict):
    ok: Literal[True]
    plugin: Object
    source: NotRequired[Object]
    declared: Object
    reviewToken: str
    grants: Object
    trust: NotRequired[Object]

class PluginsInstallResult(TypedDict):
    ok: Literal[True]
    plugin: Object
    restartRequired: Literal[True]
    warnings: NotRequired[Array]

class PluginsListResult(TypedDict):
    plugins: Array
    diagnostics: Array
    mutationAllowed: bool

class PluginsRefreshResult(TypedDict):
    ok: Literal[True]

class PluginsSearchResult(TypedDict):
    results: Array

class PluginsSetEnabledResult(TypedDict):
    ok: Literal[True]
    plugin: Object
    restartRequired: bool
    warnings: NotRequired[Array]

class PluginsUiDescriptorsResult(TypedDict):
    ok: Literal[True]
    descriptors: Array

class PluginsUninstallResult(TypedDict):
    ok: Literal[True]
    pluginId: str
    restartRequired: Literal[True]
    removed: Array
    warnings: NotRequired[Array]

class PortalCloseResult(TypedDict):
    closed: bool

class PortalListResult(TypedDict):
    portals: Array

class PortalOpenResult(TypedDict):
    id: str
    title: str
    port: int
    listenPort: int
    tokenQuery: str
    url: str
    publicUrl: str
    path: NotRequired[str]
    description: NotRequired[str]
    origin: NotRequired[str]
    createdAtMs: int

class ProgressCardGetResult(TypedDict):
    card: Object | None

class ProgressCardPutResult(TypedDict):
    card: Object | None

class ProjectsAddResult(TypedDict):
    id: str
    displayName: str
    repoRoot: NotRequired[str]
    originUrl: NotRequired[str]
    source: Literal['workspace', 'registered', 'cloned']
    agentId: NotRequired[str]

class ProjectsListResult(TypedDict):
    projects: Array
    recents: NotRequired[Array]
    observedProjects: NotRequired[Array]

class ProjectsRegisterResult(TypedDict):
    id: str
    displayName: str
    repoRoot: NotRequired[str]
    originUrl: NotRequired[str]
    source: Literal['workspace', 'registered', 'cloned']
    agentId: NotRequired[str]

class ProjectsRemoveResult(TypedDict):
    removed: bool

class ProjectsSearchRemoteResult(TypedDict):
    credential: Literal['configured', 'missing']
    projects: Array

class PushTestResult(TypedDict):
    ok: bool
    status: int
    apnsId: NotRequired[str]
    reason: NotRequired[str]
    tokenSuffix: str
    topic: str
    environment: Literal['sandbox', 'production']
    transport: Literal['direct', 'relay']

class QuestionGetResult(TypedDict):
    question: Object

class QuestionListResult(TypedDict):
    questions: Array

class QuestionRequestResult(TypedDict):
    id: str
    expiresAtMs: int

class SecretsResolveResult(TypedDict):
    ok: NotRequired[bool]
    assignments: NotRequired[Array]
    diagnostics: NotRequired[Array]
    inactiveRefPaths: NotRequired[Array]

class SecretsStoreListResult(TypedDict):
    entries: Array

class SessionDiscussionInfoResult(TypedDict):
    state: Literal['none', 'available', 'open']
    embedUrl: NotRequired[str]
    openUrl: NotRequired[str]

class SessionDiscussionOpenResult(TypedDict):
    state: Literal['none', 'available', 'open']
    embedUrl: NotRequired[str]
    openUrl: NotRequired[str]

class SessionMembersListResult(TypedDict):
    sessionKey: str
    owner: NotRequired[Object]
    members: Array
    identities: Array
    role: Literal['admin', 'owner', 'member', 'viewer']
    allowedVisibilities: Array

class SessionMembersListEvidenceResult(TypedDict):
    sessionKey: str
    owner: NotRequired[Object]
    members: Array
    identities: Array
    role: Literal['admin', 'owner', 'member', 'viewer']
    allowedVisibilities: Array

class SessionSuggestionsAddResult(TypedDict):
    suggestion: Object

class SessionSuggestionsListResult(TypedDict):
    suggestions: Array
    role: Literal['admin', 'owner', 'member', 'viewer']

class SessionSuggestionsResolveResult(TypedDict):
    suggestion: Object

class SessionTypingResult(TypedDict):
    ok: Literal[True]
    broadcast: bool

class SessionVisibilitySetResult(TypedDict):
    ok: Literal[True]
    sessionKey: str
    visibility: Literal['shared', 'read-only', 'suggest', 'draft']

class SessionsAssignOwnerResult(TypedDict):
    ok: Literal[True]
    key: str
    owner: Object

class SessionsBranchesListResult(TypedDict):
    branches: Array

class SessionsCatalogArchiveResult(TypedDict):
    ok: Literal[True]

class SessionsCatalogListResult(TypedDict):
    catalogs: Array

class SessionsCatalogReadResult(TypedDict):
    hostId: str
    label: NotRequired[str]
    threadId: str
    items: Array
    nextCursor: NotRequired[str]

class SessionsCatalogStartTerminalResult(TypedDict):
    sessionId: str
    agentId: str
    shell: str
    cwd: str
    confined: bool
    title: NotRequired[str]

class SessionsCompactionBranchResult(TypedDict):
    ok: Literal[True]
    sourceKey: str
    key: str
    sessionId: str
    checkpoint: Object
    entry: Object

class SessionsCompactionListResult(TypedDict):
    ok: Literal[True]
    key: str
    checkpoints: Array

class SessionsCompactionRestoreResult(TypedDict):
    ok: Literal[True]
    key: str
    sessionId: str
    checkpoint: Object
    entry: Object

class SessionsCompanionAskResult(TypedDict):
    answer: str
    ts: int

class SessionsCompanionResetResult(TypedDict):
    ok: Literal[True]

class SessionsCompanionStateResult(TypedDict):
    exchanges: Array

class SessionsCreateResult(TypedDict):
    ok: Literal[True]
    key: str
    sessionId: NotRequired[str]
    entry: NotRequired[Object]
    runStarted: NotRequired[bool]
    runId: NotRequired[str]
    messageSeq: NotRequired[int]
    runError: NotRequired[Object]
    worktree: NotRequired[Object]

class SessionsDeleteResult(TypedDict):
    ok: Literal[True]
    key: str
    deleted: bool
    archived: Array
    worktreePreserved: NotRequired[Object]

class SessionsDiffResult(TypedDict):
    sessionKey: str
    root: NotRequired[str]
    branch: NotRequired[str]
    baseRef: NotRequired[str]
    aheadCount: NotRequired[int]
    commits: NotRequired[Array]
    mergeBase: NotRequired[Object]
    files: Array
    additions: int
    deletions: int
    truncated: NotRequired[bool]
    unavailableReason: NotRequired[Literal['unknown_session', 'not_git', 'unknown_commit']]

class SessionsDispatchResult(TypedDict):
    ok: Literal[True]
    key: str
    sessionId: str
    placement: Object

class SessionsFilesGetResult(TypedDict):
    sessionKey: str
    root: NotRequired[str]
    file: Object

class SessionsFilesListResult(TypedDict):
    sessionKey: str
    root: NotRequired[str]
    gitCheckout: NotRequired[bool]
    files: Array
    browser: NotRequired[Object]

class SessionsFilesRevealResult(TypedDict):
    ok: bool
    path: NotRequired[str]
    error: NotRequired[str]

class SessionsFilesSetResult(TypedDict):
    sessionKey: str
    root: NotRequired[str]
    file: Object

class SessionsForkResult(TypedDict):
    sessionKey: str
    editorText: NotRequired[str]
    editorAttachments: NotRequired[Array]

class SessionsGroupsDefaultsResult(TypedDict):
    defaults: Array

class SessionsGroupsListResult(TypedDict):
    groups: Array
    sectionOrder: NotRequired[Array]

class SessionsGroupsUpdateResult(TypedDict):
    ok: Literal[True]
    defaults: Array

class SessionsMoveResult(TypedDict):
    ok: Literal[True]
    key: str
    sessionId: str
    placement: Object

class SessionsObserverVisibilityResult(TypedDict):
    ok: Literal[True]

class SessionsPatchManyResult(TypedDict):
    outcomes: Array

class SessionsPluginPatchResult(TypedDict):
    ok: Literal[True]
    key: str
    value: NotRequired[Any]

class SessionsReclaimResult(TypedDict):
    ok: Literal[True]
    key: str
    sessionId: str
    placement: Object

class SessionsRecoverResult(TypedDict):
    ok: Literal[True]
    key: str
    sessionId: str
    continuation: Object

class SessionsRewindResult(TypedDict):
    editorText: NotRequired[str]
    editorAttachments: NotRequired[Array]

class SessionsSearchResult(TypedDict):
    results: Array
    indexing: NotRequired[bool]
    truncated: NotRequired[bool]

class SessionsTitlePrepareResult(TypedDict):
    title: str | None

class SkillsBinsResult(TypedDict):
    bins: Array

class SkillsCuratorStatusResult(TypedDict):
    lastAttemptAtMs: float | None
    lastSuccessAtMs: float | None
    lastError: str | None
    collectionReview: NotRequired[Object]
    experienceReview: NotRequired[Object]
    counts: Object
    skills: Array
    overlaps: Array

class SkillsDetailResult(TypedDict):
    skill: Object | None
    latestVersion: NotRequired[Object | None]
    metadata: NotRequired[Object | None]
    owner: NotRequired[Object | None]

class SkillsProposalsListResult(TypedDict):
    schema: Literal['openclaw.skill-workshop.proposals-manifest.v1']
    updatedAt: str
    proposals: Array

class SkillsSearchResult(TypedDict):
    results: Array

class SkillsSecurityVerdictsResult(TypedDict):
    schema: Literal['openclaw.skills.security-verdicts.v1']
    items: Array

class SkillsSkillCardResult(TypedDict):
    schema: Literal['openclaw.skills.skill-card.v1']
    skillKey: str
    path: str
    sizeBytes: int
    content: str

class SystemInfoResult(TypedDict):
    machineName: str
    hostname: str
    platform: str
    release: str
    arch: str
    osLabel: str
    lanAddress: NotRequired[str]
    port: NotRequired[int]
    nodeVersion: str
    pid: int
    processInstanceId: NotRequired[str]
    uptimeMs: int
    cpuCount: int
    cpuModel: NotRequired[str]
    loadAverage: NotRequired[Array]
    memoryTotalBytes: int
    memoryFreeBytes: int
    diskTotalBytes: NotRequired[int]
    diskAvailableBytes: NotRequired[int]
    diskPath: NotRequired[str]
    defaultAgentUtilityModel: NotRequired[Object]

class TalkCatalogResult(TypedDict):
    modes: Array
    transports: Array
    brains: Array
    speech: Object
    transcription: Object
    realtime: Object

class TalkClientToolCallResult(TypedDict):
    runId: str
    idempotencyKey: str
    agentId: str
    agentSessionKey: str

class TalkConfigResult(TypedDict):
    config: Object

class TalkSessionCancelOutputResult(TypedDict):
    ok: Literal[True]
    status: NotRequired[Literal['applied', 'stale', 'idle']]
    turnId: NotRequired[str]

class TalkSessionCreateResult(TypedDict):
    sessionId: str
    provider: NotRequired[str]
    mode: Literal['realtime', 'stt-tts', 'transcription']
    transport: Literal['webrtc', 'provider-websocket', 'gateway-relay', 'managed-room']
    brain: Literal['agent-consult', 'direct-tools', 'none']
    relaySessionId: NotRequired[str]
    transcriptionSessionId: NotRequired[str]
    handoffId: NotRequired[str]
    roomId: NotRequired[str]
    roomUrl: NotRequired[str]
    token: NotRequired[str]
    audio: NotRequired[Any]
    model: NotRequired[str]
    voice: NotRequired[str]
    expiresAt: NotRequired[float]

class TalkSpeakResult(TypedDict):
    audioBase64: str
    provider: str
    outputFormat: NotRequired[str]
    voiceCompatible: NotRequired[bool]
    mimeType: NotRequired[str]
    fileExtension: NotRequired[str]

class TaskSuggestionsAcceptResult(TypedDict):
    taskId: str
    key: str

class TaskSuggestionsCreateResult(TypedDict):
    taskId: str
    suggestion: Object

class TaskSuggestionsDismissResult(TypedDict):
    taskId: str
    dismissed: bool

class TaskSuggestionsListResult(TypedDict):
    suggestions: Array

class TasksCancelResult(TypedDict):
    found: bool
    cancelled: bool
    reason: NotRequired[str]
    task: NotRequired[Object]

class TasksGetResult(TypedDict):
    task: Object

class TasksListResult(TypedDict):
    tasks: Array
    nextCursor: NotRequired[str]

class TerminalAttachResult(TypedDict):
    sessionId: str
    agentId: str
    shell: str
    cwd: str
    confined: bool
    title: NotRequired[str]
    owner: NotRequired[str]
    buffer: str
    seq: NotRequired[int]

class TerminalListResult(TypedDict):
    sessions: Array

class TerminalOpenResult(TypedDict):
    sessionId: str
    agentId: str
    shell: str
    cwd: str
    confined: bool
    title: NotRequired[str]

class TerminalUploadResult(TypedDict):
    path: str
    size: int

class ToolsCatalogResult(TypedDict):
    agentId: str
    profiles: Array
    groups: Array

class ToolsEffectiveResult(TypedDict):
    agentId: str
    profile: str
    groups: Array
    notices: NotRequired[Array]

class ToolsInvokeResult(TypedDict):
    ok: bool
    toolName: str
    output: NotRequired[Any]
    requiresApproval: NotRequired[bool]
    approvalId: NotRequired[str]
    source: NotRequired[str]
    error: NotRequired[Object]

class TtsSpeakResult(TypedDict):
    audioBase64: str
    provider: str
    outputFormat: NotRequired[str]
    mimeType: NotRequired[str]
    fileExtension: NotRequired[str]

class UiCommandResult(TypedDict):
    ok: bool

class UpdateHoldResult(TypedDict):
    ok: bool
    schedule: NotRequired[Object]

class UpdateStatusResult(TypedDict):
    sentinel: Any
    updateAvailable: Object | None
    effectiveChannel: NotRequired[Literal['stable', 'extended-stable', 'beta', 'dev']]
    schedule: NotRequired[Object]

class WizardNextResult(TypedDict):
    done: bool
    step: NotRequired[Object]
    status: NotRequired[Literal['running', 'done', 'cancelled', 'error']]
    error: NotRequired[str]
    channels: NotRequired[Array]
    accounts: NotRequired[Array]
    preparedModelRef: NotRequired[str]
    modelActivation: NotRequired[Object]

class WizardStartResult(TypedDict):
    sessionId: str
    done: bool
    step: NotRequired[Object]
    status: NotRequired[Literal['running', 'done', 'cancelled', 'error']]
    error: NotRequired[str]
    channels: NotRequired[Array]
    accounts: NotRequired[Array]
    preparedModelRef: NotRequired[str]
    modelActivation: NotRequired[Object]

class WizardStatusResult(TypedDict):
    status: Literal['running', 'done', 'cancelled', 'error']
    error: NotRequired[str]

class WorkerDesktopLaunchResult(TypedDict):
    app: Literal['browser', 'terminal']
    status: Literal['ready']

class WorkerDesktopObserveResult(TypedDict):
    transport: Literal['rfb']
    wsPath: str
    expiresAtMs: int
    control: bool
    vncPassword: NotRequired[str]

class WorktreesBranchesResult(TypedDict):
    branches: Array
    defaultBranch: NotRequired[str]
    headBranch: NotRequired[str]
    repositoryStatus: NotRequired[Literal['git', 'not_git', 'unavailable']]

class WorktreesGcResult(TypedDict):
    removed: Array
    orphansDeleted: int
    snapshotsPruned: int

class WorktreesListResult(TypedDict):
    worktrees: Array

class WorktreesRemoveResult(TypedDict):
    removed: bool
    snapshotRef: NotRequired[str]
    snapshotError: NotRequired[str]

class ExecApprovalGrants(Part):
    def list(self, *, limit: int = ...) -> ExecApprovalGrantsListResult: ...
    def revoke(self, *, grantId: str) -> ExecApprovalGrantsRevokeResult: ...

class ExecApprovalsNode(Part):
    def get(self, *, nodeId: str) -> Any: ...
    def set(self, *, nodeId: str, baseHash: str = ..., file: Object = ..., native: Object = ...) -> Any: ...

class OpenclawSetupActivate(Part):
    def __call__(self, **params: Any) -> Any: ...
    def start(self, **params: Any) -> Any: ...

class OpenclawSetupAuth(Part):
    def start(self, **params: Any) -> Any: ...

class OpenclawSetupPrepare(Part):
    def start(self, **params: Any) -> Any: ...

class PushWebPreferences(Part):
    def get(self, **params: Any) -> Any: ...
    def set(self, **params: Any) -> Any: ...

class SkillsProposalsEvents(Part):
    def list(self, **params: Any) -> Any: ...

class ToolsGithubAuthorize(Part):
    def cancel(self, **params: Any) -> Any: ...
    def poll(self, **params: Any) -> Any: ...
    def start(self, **params: Any) -> Any: ...

class UsersGithubAuthorize(Part):
    def cancel(self, **params: Any) -> Any: ...
    def poll(self, **params: Any) -> Any: ...
    def start(self, **params: Any) -> Any: ...

class AgentIdentity(Part):
    def get(self, **params: Any) -> Any: ...

class AgentsFiles(Part):
    def get(self, *, agentId: str, name: str) -> AgentsFilesGetResult: ...
    def list(self, *, agentId: str) -> AgentsFilesListResult: ...
    def set(self, *, agentId: str, content: str, name: str) -> AgentsFilesSetResult: ...

class AgentsWorkspace(Part):
    def get(self, *, agentId: str, path: str) -> AgentsWorkspaceGetResult: ...
    def list(self, *, agentId: str, limit: int = ..., offset: int = ..., path: str = ...) -> AgentsWorkspaceListResult: ...

class AssistantMedia(Part):
    def get(self, **params: Any) -> Any: ...

class AuditActivity(Part):
    def list(self, *, after: int = ..., agentId: str = ..., before: int = ..., channel: str = ..., cursor: str = ..., direction: Literal['inbound', 'outbound'] = ..., kind: Literal['agent_run', 'tool_action', 'message'] = ..., limit: int = ..., runId: str = ..., sessionKey: str = ..., status: Literal['started', 'succeeded', 'failed', 'cancelled', 'timed_out', 'blocked', 'unknown'] = ...) -> AuditActivityListResult: ...

class AuditRun(Part):
    def inspect(self, *, decisionCursor: str = ..., decisionLimit: int = ..., executionCursor: str = ..., executionId: str = ..., executionLimit: int = ..., runId: str = ...) -> AuditRunInspectResult: ...

class BoardData(Part):
    def read(self, *, bindingId: str, ticket: str, params: Object = ...) -> Any: ...

class BoardPrompt(Part):
    def authorize(self, *, ticket: str) -> Any: ...

class BoardWidget(Part):
    def appView(self, *, instanceId: str, name: str, revision: int, sessionKey: str, agentId: str = ...) -> BoardWidgetAppViewResult: ...
    def grant(self, *, decision: Literal['granted', 'rejected'], instanceId: str, name: str, revision: int, sessionKey: str, agentId: str = ...) -> Any: ...
    def put(self, *, content: Object, name: str, sessionKey: str, agentId: str = ..., declared: Object = ..., generatedIdentity: Object = ..., heightMode: Literal['auto', 'fixed'] = ..., placement: Object = ..., presentation: Literal['card', 'full-bleed', 'frameless'] = ..., title: str = ...) -> BoardWidgetPutResult: ...

class ChannelsPairing(Part):
    def approve(self, *, accountId: str, channel: str, requestId: str, bootstrapCommandOwner: bool = ..., notify: bool = ...) -> ChannelsPairingApproveResult: ...
    def dismiss(self, *, accountId: str, channel: str, requestId: str) -> ChannelsPairingDismissResult: ...
    def list(self, *, accountId: str = ..., channel: str = ...) -> ChannelsPairingListResult: ...

class ChatMessage(Part):
    def get(self, *, messageId: str, sessionKey: str, agentId: str = ..., maxChars: int = ...) -> ChatMessageGetResult: ...

class ConfigSchema(Part):
    def __call__(self) -> Any: ...
    def lookup(self, *, path: str) -> ConfigSchemaLookupResult: ...

class ControlUiSessionPullRequests(Part):
    def subscribe(self, **params: Any) -> Any: ...

class ConversationsTurn(Part):
    def __call__(self, **params: Any) -> Any: ...
    def cancel(self, **params: Any) -> Any: ...

class CronScratch(Part):
    def get(self, **params: Any) -> CronScratchGetResult: ...
    def set(self, **params: Any) -> Object: ...

class DevicePair(Part):
    def approve(self, *, requestId: str) -> Any: ...
    def list(self) -> Any: ...
    def reject(self, *, requestId: str) -> Any: ...
    def remove(self, *, deviceId: str) -> Any: ...
    def rename(self, *, deviceId: str, label: str) -> Any: ...
    def setupCode(self, *, bootstrapProfile: Literal['limited', 'node'] = ..., includeQr: bool = ..., joinUrl: Literal[True] = ..., preferRemoteUrl: bool = ..., publicUrl: str = ...) -> DevicePairSetupCodeResult: ...
    def setupStatus(self, *, setupId: str) -> DevicePairSetupStatusResult: ...

class DeviceScopes(Part):
    def requestUpgrade(self, **params: Any) -> Any: ...
    def waitUpgrade(self, **params: Any) -> Any: ...

class DeviceToken(Part):
    def revoke(self, *, deviceId: str, role: str) -> Any: ...
    def rotate(self, *, deviceId: str, role: str, scopes: Array = ...) -> DeviceTokenRotateResult: ...

class DoctorMemory(Part):
    def backfillDreamDiary(self, **params: Any) -> Any: ...
    def dedupeDreamDiary(self, **params: Any) -> Any: ...
    def dreamDiary(self, **params: Any) -> Any: ...
    def repairDreamingArtifacts(self, **params: Any) -> Any: ...
    def resetDreamDiary(self, **params: Any) -> Any: ...
    def resetGroundedShortTerm(self, **params: Any) -> Any: ...
    def status(self, **params: Any) -> Any: ...

class ExecApproval(Part):
    def get(self, *, id: str) -> Any: ...
    @property
    def grants(self) -> ExecApprovalGrants: ...
    def list(self, **params: Any) -> Any: ...
    def request(self, *, agentId: str | None = ..., approvalReviewerDeviceIds: Array = ..., ask: str | None = ..., command: str = ..., commandArgv: Array = ..., commandSpans: Array = ..., cwd: str | None = ..., deliverToApprovalClientsOnly: bool = ..., env: Object = ..., host: str | None = ..., id: str = ..., nodeId: str | None = ..., requireDeliveryRoute: bool = ..., resolvedPath: str | None = ..., runId: str | None = ..., scope: Object = ..., security: str | None = ..., sessionId: str | None = ..., sessionKey: str | None = ..., suppressDelivery: bool = ..., systemRunPlan: Object = ..., timeoutMs: int = ..., toolCallId: str | None = ..., turnSourceAccountId: str | None = ..., turnSourceChannel: str | None = ..., turnSourceThreadId: str | float | None = ..., turnSourceTo: str | None = ..., twoPhase: bool = ..., unavailableDecisions: Array = ..., warningText: str | None = ...) -> Any: ...
    def resolve(self, *, decision: str, id: str, grantExpiresInDays: int = ..., reviewer: Object = ...) -> Any: ...
    def waitDecision(self, **params: Any) -> Any: ...

class ExecApprovals(Part):
    def get(self) -> Any: ...
    @property
    def node(self) -> ExecApprovalsNode: ...
    def set(self, *, file: Object, baseHash: str = ...) -> Any: ...

class GatewayIdentity(Part):
    def get(self, **params: Any) -> Any: ...

class GatewayRestart(Part):
    def preflight(self, **params: Any) -> Any: ...
    def request(self, **params: Any) -> Any: ...

class GatewaySuspend(Part):
    def prepare(self, *, requestId: str, drain: bool = ..., terminalPolicy: Literal['preserve', 'terminate'] = ...) -> Object: ...
    def resume(self, *, suspensionId: str) -> GatewaySuspendResumeResult: ...
    def status(self, *, suspensionId: str) -> Object: ...

class McpApp(Part):
    def callTool(self, **params: Any) -> Any: ...
    def listResourceTemplates(self, **params: Any) -> Any: ...
    def listResources(self, **params: Any) -> Any: ...
    def listTools(self, **params: Any) -> Any: ...
    def readResource(self, **params: Any) -> Any: ...
    def updateModelContext(self, **params: Any) -> Any: ...
    def view(self, **params: Any) -> Any: ...

class MigrationsMemory(Part):
    def apply(self, *, agentId: str, idempotencyKey: str = ..., itemIds: Array, planFingerprint: str, providerId: str, overwrite: bool = ...) -> MigrationsMemoryApplyResult: ...
    def plan(self, *, agentId: str, overwrite: bool = ...) -> MigrationsMemoryPlanResult: ...

class NodeInvoke(Part):
    def __call__(self, *, command: str, idempotencyKey: str = ..., nodeId: str, params: Any = ..., sessionKey: str = ..., timeoutMs: int = ..., turnSourceAccountId: str = ..., turnSourceChannel: str = ..., turnSourceThreadId: str | float = ..., turnSourceTo: str = ...) -> Any: ...
    def progress(self, *, chunk: str, invokeId: str, nodeId: str, seq: int) -> Any: ...
    def result(self, *, id: str, nodeId: str, ok: bool, error: Object = ..., payload: Any = ..., payloadJSON: str = ...) -> Any: ...

class NodePair(Part):
    def approve(self, *, requestId: str) -> Any: ...
    def list(self) -> Any: ...
    def reject(self, *, requestId: str) -> Any: ...
    def remove(self, *, nodeId: str) -> Any: ...

class NodePending(Part):
    def ack(self, *, ids: Array) -> Any: ...
    def drain(self, *, maxItems: int = ...) -> NodePendingDrainResult: ...
    def enqueue(self, *, nodeId: str, type: Literal['status.request', 'location.request'], expiresInMs: int = ..., priority: Literal['normal', 'high'] = ..., wake: bool = ...) -> NodePendingEnqueueResult: ...
    def pull(self, **params: Any) -> Any: ...

class NodePluginSurface(Part):
    def refresh(self, **params: Any) -> Any: ...

class NodePluginTools(Part):
    def update(self, *, tools: Array) -> Any: ...

class NodeRunnerInventory(Part):
    def update(self, **params: Any) -> Any: ...

class NodeSkills(Part):
    def update(self, *, skills: Array) -> Any: ...

class OpenclawApproval(Part):
    def list(self, **params: Any) -> Any: ...

class OpenclawChanges(Part):
    def list(self, **params: Any) -> Any: ...

class OpenclawChat(Part):
    def __call__(self, **params: Any) -> Any: ...
    def history(self, **params: Any) -> Any: ...

class OpenclawSetup(Part):
    @property
    def activate(self) -> OpenclawSetupActivate: ...
    @property
    def auth(self) -> OpenclawSetupAuth: ...
    def detect(self, **params: Any) -> Any: ...
    @property
    def prepare(self) -> OpenclawSetupPrepare: ...
    def verify(self, **params: Any) -> Any: ...

class PluginApproval(Part):
    def list(self, **params: Any) -> Any: ...
    def request(self, *, description: str, title: str, agentId: str | None = ..., allowedDecisions: Array | None = ..., approvalReviewerDeviceIds: Array | None = ..., detail: str | None = ..., mcpTool: Object = ..., pluginId: str | None = ..., scope: Object | None = ..., sessionKey: str | None = ..., severity: str | None = ..., timeoutMs: int = ..., toolCallId: str | None = ..., toolName: str | None = ..., turnSourceAccountId: str | None = ..., turnSourceChannel: str | None = ..., turnSourceThreadId: str | float | None = ..., turnSourceTo: str | None = ..., twoPhase: bool = ...) -> Any: ...
    def resolve(self, *, decision: str, id: str, reviewer: Object = ...) -> Any: ...
    def waitDecision(self, **params: Any) -> Any: ...

class PluginSurface(Part):
    def refresh(self, **params: Any) -> Any: ...

class PushWeb(Part):
    @property
    def preferences(self) -> PushWebPreferences: ...
    def subscribe(self, **params: Any) -> Any: ...
    def test(self, **params: Any) -> Any: ...
    def unsubscribe(self, **params: Any) -> Any: ...
    def vapidPublicKey(self, **params: Any) -> Any: ...

class SecretsStore(Part):
    def delete(self, *, name: str) -> Any: ...
    def list(self) -> SecretsStoreListResult: ...
    def set(self, *, kind: Literal['secret', 'env'], name: str, value: str, allowedHosts: Array = ...) -> Any: ...

class SessionDiscussion(Part):
    def info(self, *, sessionKey: str, agentId: str = ...) -> SessionDiscussionInfoResult: ...
    def open(self, *, sessionKey: str, agentId: str = ...) -> SessionDiscussionOpenResult: ...

class SessionMembers(Part):
    def add(self, **params: Any) -> Any: ...
    def list(self, *, sessionKey: str, agentId: str = ...) -> SessionMembersListResult: ...
    def listEvidence(self, **params: Any) -> SessionMembersListEvidenceResult: ...
    def remove(self, **params: Any) -> Any: ...

class SessionSuggestions(Part):
    def add(self, *, sessionKey: str, text: str, agentId: str = ...) -> SessionSuggestionsAddResult: ...
    def list(self, *, sessionKey: str, agentId: str = ...) -> SessionSuggestionsListResult: ...
    def resolve(self, *, id: str, resolution: Literal['send', 'queue', 'edit', 'dismiss'], sessionKey: str, agentId: str = ...) -> SessionSuggestionsResolveResult: ...

class SessionVisibility(Part):
    def set(self, *, sessionKey: str, visibility: Literal['shared', 'read-only', 'suggest', 'draft'], agentId: str = ...) -> SessionVisibilitySetResult: ...

class SessionsBranches(Part):
    def list(self, *, sessionKey: str, agentId: str = ...) -> SessionsBranchesListResult: ...
    def switch(self, *, leafEntryId: str, sessionKey: str, agentId: str = ...) -> Object: ...

class SessionsCatalog(Part):
    def archive(self, *, catalogId: str, confirmNoOtherRunner: Literal[True], hostId: str, threadId: str, agentId: str = ..., sourceHomeId: str = ...) -> SessionsCatalogArchiveResult: ...
    def list(self, *, agentId: str = ..., catalogId: str = ..., cursors: Object = ..., hostIds: Array = ..., limitPerHost: int = ..., progressId: str = ..., search: str = ...) -> SessionsCatalogListResult: ...
    def read(self, *, catalogId: str, hostId: str, threadId: str, agentId: str = ..., cursor: str = ..., limit: int = ..., sourceHomeId: str = ...) -> SessionsCatalogReadResult: ...
    def startTerminal(self, *, agentId: str, catalogId: str, cwd: str, hostId: str = ..., initialMessage: str = ...) -> SessionsCatalogStartTerminalResult: ...

class SessionsCompaction(Part):
    def branch(self, *, checkpointId: str, key: str, agentId: str = ...) -> SessionsCompactionBranchResult: ...
    def list(self, *, key: str, agentId: str = ...) -> SessionsCompactionListResult: ...
    def restore(self, *, checkpointId: str, key: str, agentId: str = ...) -> SessionsCompactionRestoreResult: ...

class SessionsCompanion(Part):
    def ask(self, *, question: str, sessionKey: str, agentId: str = ...) -> SessionsCompanionAskResult: ...
    def reset(self, *, sessionKey: str, agentId: str = ...) -> SessionsCompanionResetResult: ...
    def state(self, *, sessionKey: str, agentId: str = ...) -> SessionsCompanionStateResult: ...

class SessionsFiles(Part):
    def get(self, *, path: str, sessionKey: str, agentId: str = ...) -> SessionsFilesGetResult: ...
    def list(self, *, sessionKey: str, agentId: str = ..., path: str = ..., search: str = ...) -> SessionsFilesListResult: ...
    def reveal(self, *, key: str, agentId: str = ...) -> SessionsFilesRevealResult: ...
    def set(self, *, content: str, expectedHash: str, path: str, sessionKey: str, agentId: str = ...) -> SessionsFilesSetResult: ...

class SessionsGithub(Part):
    def confirm(self, **params: Any) -> Any: ...
    def options(self, **params: Any) -> Any: ...
    def publish(self, **params: Any) -> Any: ...
    def status(self, **params: Any) -> Any: ...

class SessionsGoal(Part):
    def clear(self, *, goalId: str, issuedAtMs: int, operationId: str, sessionKey: str, agentId: str = ..., sessionId: str = ...) -> Any: ...
    def update(self, **params: Any) -> Any: ...

class SessionsGroups(Part):
    def defaults(self) -> SessionsGroupsDefaultsResult: ...
    def delete(self, *, name: str) -> Any: ...
    def list(self) -> SessionsGroupsListResult: ...
    def put(self, *, names: Array, sectionOrder: Array = ...) -> Any: ...
    def rename(self, *, name: str, to: str) -> Any: ...
    def update(self, *, cwd: str | None, name: str, worktree: bool) -> SessionsGroupsUpdateResult: ...

class SessionsMessages(Part):
    def subscribe(self, *, key: str, agentId: str = ..., includeApprovals: Literal[True] = ...) -> Any: ...
    def unsubscribe(self, *, key: str, agentId: str = ...) -> Any: ...

class SessionsObserver(Part):
    def visibility(self, *, visible: bool) -> SessionsObserverVisibilityResult: ...

class SessionsTitle(Part):
    def prepare(self, *, agentId: str, message: str, catalogId: str = ..., incognito: bool = ..., model: str = ...) -> SessionsTitlePrepareResult: ...

class SessionsUsage(Part):
    def __call__(self, *, agentId: str = ..., agentScope: Literal['all'] = ..., endDate: str = ..., groupBy: Literal['instance', 'family'] = ..., includeContextWeight: bool = ..., includeHistorical: bool = ..., key: str = ..., limit: int = ..., mode: Literal['utc', 'gateway', 'specific'] = ..., range: Literal['7d', '30d', '90d', '1y', 'all'] = ..., startDate: str = ..., timeZone: str = ..., utcOffset: str = ...) -> Any: ...
    def logs(self, **params: Any) -> Any: ...
    def timeseries(self, **params: Any) -> Any: ...

class SessionsViewers(Part):
    def set(self, **params: Any) -> Any: ...

class SkillsCurator(Part):
    def pin(self, **params: Any) -> Any: ...
    def restore(self, **params: Any) -> Any: ...
    def status(self) -> SkillsCuratorStatusResult: ...
    def unpin(self, **params: Any) -> Any: ...

class SkillsLibrary(Part):
    def activate(self, *, action: Literal['attach', 'detach', 'refresh'], sessionKey: str, revision: str = ..., skillId: str = ...) -> Any: ...
    def list(self, *, scope: Literal['mine', 'team', 'all'] = ..., sessionKey: str = ...) -> Any: ...
    def mutate(self, *, action: Literal['share', 'unshare', 'transfer', 'remove', 'enable', 'disable', 'rollback'], expectedRevision: str, skillId: str, revision: str = ...) -> Any: ...
    def read(self, *, skillId: str, revision: str = ..., sessionKey: str = ...) -> Any: ...
    def save(self, *, content: str, expectedRevision: str | None, slug: str, files: Array = ..., skillId: str = ...) -> Any: ...
    def upload(self, **params: Any) -> Any: ...

class SkillsProposals(Part):
    def apply(self, **params: Any) -> Any: ...
    def create(self, **params: Any) -> Any: ...
    def evaluate(self, **params: Any) -> Any: ...
    @property
    def events(self) -> SkillsProposalsEvents: ...
    def historyScan(self, **params: Any) -> Any: ...
    def historyStatus(self, **params: Any) -> Any: ...
    def inspect(self, **params: Any) -> Any: ...
    def list(self, *, agentId: str = ...) -> SkillsProposalsListResult: ...
    def quarantine(self, **params: Any) -> Any: ...
    def reject(self, **params: Any) -> Any: ...
    def requestRevision(self, **params: Any) -> Any: ...
    def revise(self, **params: Any) -> Any: ...
    def update(self, **params: Any) -> Any: ...

class SkillsUpload(Part):
    def begin(self, *, kind: Literal['skill-archive'], sizeBytes: int, slug: str, force: bool = ..., idempotencyKey: str = ..., sha256: str = ...) -> Any: ...
    def chunk(self, *, dataBase64: str, offset: int, uploadId: str) -> Any: ...
    def commit(self, *, uploadId: str, sha256: str = ...) -> Any: ...

class TalkClient(Part):
    def close(self, *, sessionKey: str, voiceSessionId: str) -> Any: ...
    def create(self, *, brain: Literal['agent-consult', 'direct-tools', 'none'] = ..., capabilities: Array = ..., mode: Literal['realtime', 'stt-tts', 'transcription'] = ..., model: str = ..., prefixPaddingMs: int = ..., provider: str = ..., reasoningEffort: str = ..., sessionKey: str = ..., silenceDurationMs: int = ..., transport: Literal['webrtc', 'provider-websocket', 'gateway-relay', 'managed-room'] = ..., vadThreshold: float = ..., voice: str = ..., voiceSessionId: str = ...) -> Object: ...
    def steer(self, *, sessionKey: str, text: str, mode: Literal['status', 'steer', 'cancel', 'followup'] = ...) -> Any: ...
    def toolCall(self, *, callId: str, name: str, sessionKey: str, args: Any = ..., relaySessionId: str = ..., voiceSessionId: str = ...) -> TalkClientToolCallResult: ...
    def transcript(self, *, entryId: str, role: Literal['user', 'assistant'], sessionKey: str, text: str, voiceSessionId: str, timestamp: float = ...) -> Any: ...

class TalkSession(Part):
    def acknowledgeMark(self, *, markName: str, sessionId: str) -> Any: ...
    def appendAudio(self, *, audioBase64: str, sessionId: str, timestamp: float = ...) -> Any: ...
    def cancelOutput(self, *, sessionId: str, reason: str = ..., turnId: str = ...) -> TalkSessionCancelOutputResult: ...
    def close(self, *, sessionId: str) -> Any: ...
    def create(self, *, brain: Literal['agent-consult', 'direct-tools', 'none'] = ..., language: str = ..., mode: Literal['realtime', 'stt-tts', 'transcription'] = ..., model: str = ..., prefixPaddingMs: int = ..., provider: str = ..., reasoningEffort: str = ..., sessionKey: str = ..., silenceDurationMs: int = ..., spawnedBy: str = ..., transport: Literal['webrtc', 'provider-websocket', 'gateway-relay', 'managed-room'] = ..., ttlMs: int = ..., vadThreshold: float = ..., voice: str = ...) -> TalkSessionCreateResult: ...
    def steer(self, *, sessionId: str, text: str, mode: Literal['status', 'steer', 'cancel', 'followup'] = ..., sessionKey: str = ...) -> Any: ...
    def submitToolResult(self, *, callId: str, result: Any, sessionId: str, options: Object = ...) -> Any: ...

class ToolsGithub(Part):
    @property
    def authorize(self) -> ToolsGithubAuthorize: ...
    def configure(self, **params: Any) -> Any: ...
    def status(self, **params: Any) -> Any: ...

class UsersGithub(Part):
    @property
    def authorize(self) -> UsersGithubAuthorize: ...
    def disconnect(self, **params: Any) -> Any: ...
    def status(self, **params: Any) -> Any: ...

class UsersPrefs(Part):
    def get(self, **params: Any) -> Any: ...
    def set(self, **params: Any) -> Any: ...

class VoicewakeRouting(Part):
    def get(self, **params: Any) -> Any: ...

class WebLogin(Part):
    def start(self, *, accountId: str = ..., force: bool = ..., timeoutMs: int = ..., verbose: bool = ...) -> Any: ...
    def wait(self, *, accountId: str = ..., currentQrDataUrl: str = ..., timeoutMs: int = ...) -> Any: ...

class WorkerDesktop(Part):
    def launch(self, *, app: Literal['browser', 'terminal'], environmentId: str) -> WorkerDesktopLaunchResult: ...
    def observe(self, *, environmentId: str, control: bool = ...) -> WorkerDesktopObserveResult: ...

class Agent(Part):
    def __call__(self, *, idempotencyKey: str = ..., message: str, accountId: str = ..., acpTurnSource: Literal['manual_spawn'] = ..., agentId: str = ..., attachments: Array = ..., bestEffortDeliver: bool = ..., bootstrapContextMode: Literal['full', 'lightweight'] = ..., bootstrapContextRunKind: Literal['default', 'heartbeat', 'cron'] = ..., channel: str = ..., cleanupBundleMcpOnRunEnd: bool = ..., cwd: str = ..., deliver: bool = ..., disableMessageTool: bool = ..., execApprovalFollowupExpectedSessionId: str = ..., expectedExistingSessionId: str = ..., extraSystemPrompt: str = ..., forceCodeModeTools: bool = ..., forceRestartSafeTools: bool = ..., groupChannel: str = ..., groupId: str = ..., groupSpace: str = ..., inputProvenance: Object = ..., internalEvents: Array = ..., internalExecutionIdentityRecoveryAttempt: int = ..., internalExecutionIdentityRetry: bool = ..., internalRuntimeHandoffId: str = ..., label: str = ..., lane: str = ..., model: str = ..., modelRun: bool = ..., promptMode: Literal['full', 'minimal', 'none'] = ..., provider: str = ..., replyAccountId: str = ..., replyChannel: str = ..., replyTo: str = ..., sessionEffects: Literal['visible', 'internal'] = ..., sessionId: str = ..., sessionKey: str = ..., sourceReplyDeliveryMode: Literal['automatic', 'message_tool_only'] = ..., suppressPromptPersistence: bool = ..., swarmCollector: bool = ..., swarmOutputSchema: Object = ..., thinking: str = ..., threadId: str = ..., timeout: int = ..., to: str = ..., voiceWakeTrigger: str = ...) -> Any: ...
    @property
    def identity(self) -> AgentIdentity: ...
    def wait(self, *, runId: str, timeoutMs: int = ...) -> Any: ...

class Agents(Part):
    def create(self, *, name: str, avatar: str = ..., emoji: str = ..., model: str = ..., workspace: str = ...) -> AgentsCreateResult: ...
    def delete(self, *, agentId: str, deleteFiles: bool = ...) -> AgentsDeleteResult: ...
    @property
    def files(self) -> AgentsFiles: ...
    def list(self) -> AgentsListResult: ...
    def update(self, *, agentId: str, avatar: str = ..., emoji: str = ..., model: str | None = ..., name: str = ..., workspace: str = ...) -> AgentsUpdateResult: ...
    @property
    def workspace(self) -> AgentsWorkspace: ...

class Approval(Part):
    def get(self, *, id: str) -> ApprovalGetResult: ...
    def history(self, *, cursor: str = ..., kind: Literal['exec', 'plugin', 'system-agent'] = ..., limit: int = ...) -> ApprovalHistoryResult: ...
    def resolve(self, *, decision: Literal['allow-once', 'allow-always', 'deny'], id: str, kind: Literal['exec', 'plugin', 'system-agent'], grantExpiresInDays: int = ..., reviewer: Object = ...) -> ApprovalResolveResult: ...

class Artifacts(Part):
    def download(self, *, artifactId: str, agentId: str = ..., runId: str = ..., sessionKey: str = ..., taskId: str = ...) -> ArtifactsDownloadResult: ...
    def get(self, *, artifactId: str, agentId: str = ..., runId: str = ..., sessionKey: str = ..., taskId: str = ...) -> ArtifactsGetResult: ...
    def list(self, *, agentId: str = ..., runId: str = ..., sessionKey: str = ..., taskId: str = ...) -> ArtifactsListResult: ...

class Assistant(Part):
    @property
    def media(self) -> AssistantMedia: ...

class Attach(Part):
    def grant(self, **params: Any) -> Any: ...
    def revoke(self, **params: Any) -> Any: ...

class Audit(Part):
    @property
    def activity(self) -> AuditActivity: ...
    def list(self, *, after: int = ..., agentId: str = ..., before: int = ..., cursor: str = ..., kind: Literal['agent_run', 'tool_action'] = ..., limit: int = ..., runId: str = ..., sessionKey: str = ..., status: Literal['started', 'succeeded', 'failed', 'cancelled', 'timed_out', 'blocked', 'unknown'] = ...) -> AuditListResult: ...
    @property
    def run(self) -> AuditRun: ...

class Board(Part):
    def action(self, **params: Any) -> Any: ...
    @property
    def data(self) -> BoardData: ...
    def event(self, **params: Any) -> Any: ...
    def get(self, *, sessionKey: str, agentId: str = ...) -> Any: ...
    @property
    def prompt(self) -> BoardPrompt: ...
    def update(self, *, ops: Array, sessionKey: str, agentId: str = ...) -> Any: ...
    @property
    def widget(self) -> BoardWidget: ...

class Channels(Part):
    def logout(self, *, channel: str, accountId: str = ...) -> Any: ...
    @property
    def pairing(self) -> ChannelsPairing: ...
    def start(self, *, channel: str, accountId: str = ...) -> Any: ...
    def status(self, *, channel: str = ..., probe: bool = ..., timeoutMs: int = ...) -> ChannelsStatusResult: ...
    def stop(self, *, channel: str, accountId: str = ...) -> Any: ...

class Chat(Part):
    def abort(self, *, sessionKey: str, agentId: str = ..., preserveSideRuns: bool = ..., runId: str = ...) -> Any: ...
    def history(self, *, sessionKey: str, agentId: str = ..., cursor: str = ..., inputRunIds: Array = ..., limit: int = ..., maxChars: int = ..., messageId: str = ..., offset: int = ..., pendingBefore: int = ..., sessionId: str = ...) -> Any: ...
    def inject(self, *, message: str, sessionKey: str, agentId: str = ..., label: str = ...) -> Any: ...
    @property
    def message(self) -> ChatMessage: ...
    def metadata(self, *, agentId: str = ..., sessionKey: str = ...) -> Any: ...
    def send(self, *, idempotencyKey: str = ..., message: str, sessionKey: str, agentId: str = ..., attachments: Array = ..., deliver: bool = ..., expectedLeafEntryId: str | None = ..., expectedPermissionMode: Any = ..., expectedSessionRoutingContract: str = ..., expectedToolOverrides: Object | None = ..., fastAutoOnSeconds: int = ..., fastMode: bool | str = ..., intent: Object = ..., originatingAccountId: str = ..., originatingChannel: str = ..., originatingThreadId: str = ..., originatingTo: str = ..., queueMode: Literal['steer', 'followup', 'collect', 'interrupt'] = ..., replyToId: str = ..., sessionId: str = ..., suppressCommandInterpretation: bool = ..., systemInputProvenance: Object = ..., systemProvenanceReceipt: str = ..., thinking: str = ..., timeoutMs: int = ..., toolBindings: Object = ...) -> Any: ...
    def startup(self, **params: Any) -> Any: ...
    def toolTitles(self, *, items: Array, sessionKey: str, agentId: str = ...) -> ChatToolTitlesResult: ...

class Commands(Part):
    def list(self, *, agentId: str = ..., includeArgs: bool = ..., provider: str = ..., scope: Literal['text', 'native', 'both'] = ..., sessionKey: str = ...) -> CommandsListResult: ...

class Config(Part):
    def apply(self, *, raw: str, baseHash: str = ..., deliveryContext: Object = ..., note: str = ..., restartDelayMs: int = ..., sessionKey: str = ...) -> Any: ...
    def get(self) -> Any: ...
    def openFile(self, **params: Any) -> Any: ...
    def patch(self, *, raw: str, baseHash: str = ..., deliveryContext: Object = ..., note: str = ..., replacePaths: Array = ..., restartDelayMs: int = ..., sessionKey: str = ...) -> Any: ...
    @property
    def schema(self) -> ConfigSchema: ...
    def set(self, *, raw: str, baseHash: str = ...) -> Any: ...

class ControlUi(Part):
    def githubPreview(self, **params: Any) -> Any: ...
    def sessionPreview(self, **params: Any) -> Any: ...
    @property
    def sessionPullRequests(self) -> ControlUiSessionPullRequests: ...

class Conversations(Part):
    def list(self, **params: Any) -> Any: ...
    def send(self, **params: Any) -> Any: ...
    @property
    def turn(self) -> ConversationsTurn: ...

class Cron(Part):
    def add(self, *, name: str, payload: Object, schedule: Object, sessionTarget: str, wakeMode: Literal['next-heartbeat', 'now'], agentId: str | None = ..., declarationKey: str = ..., deleteAfterRun: bool = ..., delivery: Object = ..., description: str = ..., displayName: str = ..., enabled: bool = ..., failureAlert: bool | Object = ..., owner: Object = ..., pacing: Object = ..., sessionKey: str | None = ..., trigger: Object = ...) -> Object: ...
    def get(self, **params: Any) -> Any: ...
    def list(self, *, agentId: str = ..., compact: bool = ..., enabled: Literal['all', 'enabled', 'disabled'] = ..., includeDeliveryPreviews: bool = ..., includeDisabled: bool = ..., lastRunStatus: Literal['all', 'ok', 'error', 'skipped', 'unknown'] = ..., limit: int = ..., offset: int = ..., query: str = ..., scheduleKind: Literal['all', 'at', 'every', 'cron', 'on-exit', 'stream'] = ..., sortBy: Literal['nextRunAtMs', 'updatedAtMs', 'name'] = ..., sortDir: Literal['asc', 'desc'] = ..., trigger: Literal['all', 'conditional', 'unconditional'] = ...) -> Any: ...
    def remove(self, **params: Any) -> Any: ...
    def run(self, **params: Any) -> Any: ...
    def runs(self, *, agentId: str = ..., deliveryStatus: Literal['delivered', 'not-delivered', 'unknown', 'not-requested'] = ..., deliveryStatuses: Array = ..., id: str = ..., jobId: str = ..., limit: int = ..., offset: int = ..., query: str = ..., runId: str = ..., scope: Literal['job', 'all'] = ..., sortDir: Literal['asc', 'desc'] = ..., status: Literal['all', 'ok', 'error', 'skipped'] = ..., statuses: Array = ...) -> Any: ...
    @property
    def scratch(self) -> CronScratch: ...
    def status(self) -> Any: ...
    def update(self, **params: Any) -> Any: ...

class Desktop(Part):
    def launch(self, *, app: Literal['browser', 'terminal'], source: Object) -> Any: ...
    def observe(self, **params: Any) -> DesktopObserveResult: ...

class Device(Part):
    @property
    def pair(self) -> DevicePair: ...
    @property
    def scopes(self) -> DeviceScopes: ...
    @property
    def token(self) -> DeviceToken: ...

class Diagnostics(Part):
    def lanes(self, **params: Any) -> Any: ...
    def stability(self, **params: Any) -> Any: ...

class Doctor(Part):
    @property
    def memory(self) -> DoctorMemory: ...

class Environments(Part):
    def create(self, *, idempotencyKey: str = ..., profileId: str) -> EnvironmentsCreateResult: ...
    def destroy(self, *, environmentId: str, force: bool = ...) -> EnvironmentsDestroyResult: ...
    def list(self) -> EnvironmentsListResult: ...
    def status(self, *, environmentId: str) -> EnvironmentsStatusResult: ...

class Exec(Part):
    @property
    def approval(self) -> ExecApproval: ...
    @property
    def approvals(self) -> ExecApprovals: ...

class Fs(Part):
    def listDir(self, *, nodeId: str = ..., path: str = ...) -> FsListDirResult: ...

class Gateway(Part):
    @property
    def identity(self) -> GatewayIdentity: ...
    @property
    def restart(self) -> GatewayRestart: ...
    @property
    def suspend(self) -> GatewaySuspend: ...

class Hooks(Part):
    def status(self, *, agentId: str = ...) -> Any: ...

class Logs(Part):
    def tail(self, *, cursor: int = ..., limit: int = ..., maxBytes: int = ...) -> LogsTailResult: ...

class Mcp(Part):
    @property
    def app(self) -> McpApp: ...

class Memory(Part):
    def search(self, **params: Any) -> Any: ...

class Message(Part):
    def action(self, *, action: str, channel: str, idempotencyKey: str = ..., params: Object, accountId: str = ..., agentId: str = ..., conversationReadOrigin: Literal['direct-operator'] = ..., inboundTurnKind: Literal['user_request', 'room_event'] = ..., reply: Object = ..., requesterAccountId: str = ..., requesterSenderId: str = ..., senderIsOwner: bool = ..., sessionId: str = ..., sessionKey: str = ..., toolContext: Object = ...) -> Any: ...

class Migrations(Part):
    @property
    def memory(self) -> MigrationsMemory: ...

class Models(Part):
    def authLogout(self, *, provider: str, agentId: str = ..., profileIds: Array = ...) -> Any: ...
    def authStatus(self, *, agentId: str = ..., refresh: bool = ...) -> Any: ...
    def list(self, *, agentId: str = ..., includeProviderCapabilities: bool = ..., preparedOnly: bool = ..., refresh: bool = ..., view: Literal['default', 'configured', 'provider-config', 'all'] = ...) -> ModelsListResult: ...
    def probe(self, *, provider: str, agentId: str = ..., profileId: str = ..., timeoutMs: int = ...) -> ModelsProbeResult: ...

class NativeHook(Part):
    def invoke(self, **params: Any) -> Any: ...

class Node(Part):
    def describe(self, *, nodeId: str) -> Any: ...
    def event(self, *, event: str, payload: Any = ..., payloadJSON: str = ...) -> NodeEventResult: ...
    @property
    def invoke(self) -> NodeInvoke: ...
    def list(self) -> Any: ...
    @property
    def pair(self) -> NodePair: ...
    @property
    def pending(self) -> NodePending: ...
    @property
    def pluginSurface(self) -> NodePluginSurface: ...
    @property
    def pluginTools(self) -> NodePluginTools: ...
    def rename(self, *, displayName: str, nodeId: str) -> Any: ...
    @property
    def runnerInventory(self) -> NodeRunnerInventory: ...
    @property
    def skills(self) -> NodeSkills: ...

class Openclaw(Part):
    @property
    def approval(self) -> OpenclawApproval: ...
    @property
    def changes(self) -> OpenclawChanges: ...
    @property
    def chat(self) -> OpenclawChat: ...
    @property
    def setup(self) -> OpenclawSetup: ...

class Plugin(Part):
    @property
    def approval(self) -> PluginApproval: ...
    @property
    def surface(self) -> PluginSurface: ...

class Plugins(Part):
    def inspect(self, *, pluginId: str) -> PluginsInspectResult: ...
    def install(self, **params: Any) -> PluginsInstallResult: ...
    def list(self) -> PluginsListResult: ...
    def refresh(self) -> PluginsRefreshResult: ...
    def search(self, *, query: str, limit: int = ...) -> PluginsSearchResult: ...
    def sessionAction(self, *, actionId: str, pluginId: str, agentId: str = ..., payload: Any = ..., sessionKey: str = ...) -> Object: ...
    def setEnabled(self, *, enabled: bool, pluginId: str, acknowledgeCapabilities: Object = ...) -> PluginsSetEnabledResult: ...
    def uiDescriptors(self) -> PluginsUiDescriptorsResult: ...
    def uninstall(self, *, pluginId: str) -> PluginsUninstallResult: ...

class Portal(Part):
    def close(self, *, id: str) -> PortalCloseResult: ...
    def list(self) -> PortalListResult: ...
    def open(self, *, port: int, description: str = ..., path: str = ..., title: str = ...) -> PortalOpenResult: ...

class ProgressCard(Part):
    def get(self, *, sessionKey: str) -> ProgressCardGetResult: ...
    def put(self, *, sessionKey: str, expectedRevision: int = ..., markdown: str = ..., plan: Array = ...) -> ProgressCardPutResult: ...

class Projects(Part):
    def add(self, *, gitUrl: str, name: str = ...) -> ProjectsAddResult: ...
    def list(self, *, includeObserved: bool = ...) -> ProjectsListResult: ...
    def register(self, *, path: str, name: str = ...) -> ProjectsRegisterResult: ...
    def remove(self, *, id: str, deleteCheckout: bool = ...) -> ProjectsRemoveResult: ...
    def searchRemote(self, *, query: str) -> ProjectsSearchRemoteResult: ...

class Push(Part):
    def test(self, *, nodeId: str, body: str = ..., environment: Literal['sandbox', 'production'] = ..., title: str = ...) -> PushTestResult: ...
    @property
    def web(self) -> PushWeb: ...

class Question(Part):
    def get(self, *, id: str) -> QuestionGetResult: ...
    def list(self) -> QuestionListResult: ...
    def request(self, *, questions: Array, agentId: str = ..., id: str = ..., runId: str = ..., sessionKey: str = ..., timeoutMs: int = ...) -> QuestionRequestResult: ...
    def resolve(self, **params: Any) -> Object: ...
    def waitAnswer(self, *, id: str, timeoutMs: int = ...) -> Object: ...

class Secrets(Part):
    def reload(self) -> Any: ...
    def resolve(self, *, commandName: str, targetIds: Array, allowedPaths: Array = ..., forcedActivePaths: Array = ..., optionalActivePaths: Array = ..., providerOverrides: Object = ...) -> SecretsResolveResult: ...
    @property
    def store(self) -> SecretsStore: ...

class Session(Part):
    @property
    def discussion(self) -> SessionDiscussion: ...
    @property
    def members(self) -> SessionMembers: ...
    @property
    def suggestions(self) -> SessionSuggestions: ...
    def typing(self, *, sessionId: str, sessionKey: str, typing: bool, agentId: str = ..., preview: str = ...) -> SessionTypingResult: ...
    @property
    def visibility(self) -> SessionVisibility: ...

class Sessions(Part):
    def abort(self, *, agentId: str = ..., clearQueued: bool = ..., key: str = ..., runId: str = ...) -> Any: ...
    def assignOwner(self, *, key: str, owner: Object, agentId: str = ...) -> SessionsAssignOwnerResult: ...
    @property
    def branches(self) -> SessionsBranches: ...
    @property
    def catalog(self) -> SessionsCatalog: ...
    def cleanup(self, *, activeKey: str = ..., agent: str = ..., allAgents: bool = ..., enforce: bool = ..., fixDmScope: bool = ..., fixMissing: bool = ...) -> Any: ...
    def compact(self, *, key: str, agentId: str = ..., maxLines: int = ...) -> Any: ...
    @property
    def compaction(self) -> SessionsCompaction: ...
    @property
    def companion(self) -> SessionsCompanion: ...
    def create(self, *, agentId: str = ..., attachments: Array = ..., catalogId: str = ..., category: str = ..., contextWindow: str = ..., cwd: str = ..., displayName: str = ..., emitCommandHooks: bool = ..., execNode: str = ..., fastMode: bool | str = ..., fork: bool = ..., forkFrom: Literal['last-completed'] = ..., idempotencyKey: str = ..., incognito: bool = ..., key: str = ..., label: str = ..., message: str = ..., model: str = ..., parentSessionKey: str = ..., permissionMode: Literal['read-only', 'guarded', 'workspace', 'full'] = ..., projectGitUrl: str = ..., projectId: str = ..., spawnDepth: int = ..., succeedsParent: bool = ..., task: str = ..., thinkingLevel: str = ..., toolOverrides: Object = ..., visibility: Literal['shared', 'read-only', 'suggest', 'draft'] = ..., worktree: bool = ..., worktreeBaseRef: str = ..., worktreeName: str = ...) -> SessionsCreateResult: ...
    def delete(self, *, key: str, agentId: str = ..., archivedOnly: bool = ..., deleteTranscript: bool = ..., emitLifecycleHooks: bool = ..., expectedLifecycleRevision: str = ..., expectedSessionId: str = ..., expectedSessionUpdatedAt: float = ...) -> SessionsDeleteResult: ...
    def describe(self, *, key: str, includeDerivedTitles: bool = ..., includeLastMessage: bool = ...) -> Any: ...
    def diff(self, *, sessionKey: str, agentId: str = ..., commit: str = ..., scope: Literal['all', 'uncommitted', 'commit'] = ...) -> SessionsDiffResult: ...
    def dispatch(self, *, key: str, agentId: str = ..., autoDevice: Literal[True] = ..., deviceId: str = ..., machineClass: str = ..., profileId: str = ...) -> SessionsDispatchResult: ...
    @property
    def files(self) -> SessionsFiles: ...
    def fork(self, *, entryId: str, sessionKey: str, agentId: str = ...) -> SessionsForkResult: ...
    def get(self, **params: Any) -> Any: ...
    @property
    def github(self) -> SessionsGithub: ...
    @property
    def goal(self) -> SessionsGoal: ...
    @property
    def groups(self) -> SessionsGroups: ...
    def list(self, *, activeMinutes: int = ..., agentId: str = ..., archived: bool | str = ..., boardFace: Literal['chat', 'dashboard'] = ..., configuredAgentsOnly: bool = ..., creatorId: str = ..., includeDerivedTitles: bool = ..., includeGlobal: bool = ..., includeLastMessage: bool = ..., includePeople: bool = ..., includeUnknown: bool = ..., involvingMe: bool = ..., involvingProfileId: str = ..., label: str = ..., limit: int = ..., offset: int = ..., ownerFirst: bool = ..., ownerId: str = ..., requireLastInteraction: bool = ..., search: str = ..., sortBy: Literal['updatedAt', 'lastInteractionAt'] = ..., spawnedBy: str = ...) -> Any: ...
    @property
    def messages(self) -> SessionsMessages: ...
    def move(self, *, expected: Object, key: str, target: Object, abandonSource: Literal[True] = ..., agentId: str = ...) -> SessionsMoveResult: ...
    @property
    def observer(self) -> SessionsObserver: ...
    def patch(self, *, key: str, agentId: str = ..., archived: bool = ..., attention: str | None = ..., boardFace: Literal['chat', 'dashboard'] = ..., category: str | None = ..., color: str | None = ..., completionOwnerSessionKey: str | None = ..., contextWindow: str | None = ..., elevatedLevel: str | None = ..., execAsk: str | None = ..., execHost: str | None = ..., execNode: str | None = ..., execSecurity: str | None = ..., expectedLifecycleRevision: str = ..., expectedMarkedUnreadAt: float | None = ..., expectedPermissionMode: Any = ..., expectedSessionId: str = ..., expectedToolOverrides: Object | None = ..., fastMode: bool | str | None = ..., groupActivation: str | None = ..., icon: str | None = ..., inheritedToolAllow: Array | None = ..., inheritedToolDeny: Array | None = ..., inheritedToolPolicyVersion: int | None = ..., label: str | None = ..., model: str | None = ..., permissionMode: Any = ..., pinned: bool = ..., reasoningLevel: str | None = ..., responseUsage: str | None = ..., sendPolicy: str | None = ..., statusNote: str | None = ..., thinkingLevel: str | None = ..., toolOverrides: Object | None = ..., traceLevel: str | None = ..., ttlMinutes: int = ..., unread: bool = ..., verboseLevel: str | None = ...) -> Any: ...
    def patchMany(self, *, patch: Object, targets: Array) -> SessionsPatchManyResult: ...
    def pluginPatch(self, *, key: str, namespace: str, pluginId: str, agentId: str = ..., unset: bool = ..., value: Any = ...) -> SessionsPluginPatchResult: ...
    def preview(self, *, keys: Array, limit: int = ..., maxChars: int = ...) -> Any: ...
    def reclaim(self, *, key: str, agentId: str = ...) -> SessionsReclaimResult: ...
    def recover(self, *, key: str, agentId: str = ...) -> SessionsRecoverResult: ...
    def reset(self, *, key: str, agentId: str = ..., reason: Literal['new', 'reset'] = ...) -> Any: ...
    def resolve(self, *, agentId: str = ..., allowMissing: bool = ..., includeGlobal: bool = ..., includeUnknown: bool = ..., key: str = ..., label: str = ..., sessionId: str = ..., shortId: str = ..., slugHint: str = ..., spawnedBy: str = ...) -> Object: ...
    def rewind(self, *, entryId: str, sessionKey: str, agentId: str = ...) -> SessionsRewindResult: ...
    def search(self, *, query: str, agentId: str = ..., limit: int = ..., sessionKeys: Array = ...) -> SessionsSearchResult: ...
    def send(self, *, key: str, message: str, agentId: str = ..., attachments: Array = ..., idempotencyKey: str = ..., thinking: str = ..., timeoutMs: int = ...) -> Any: ...
    def steer(self, **params: Any) -> Any: ...
    def subscribe(self, **params: Any) -> Any: ...
    @property
    def title(self) -> SessionsTitle: ...
    @property
    def usage(self) -> SessionsUsage: ...
    @property
    def viewers(self) -> SessionsViewers: ...

class Skills(Part):
    def bins(self) -> SkillsBinsResult: ...
    @property
    def curator(self) -> SkillsCurator: ...
    def detail(self, *, slug: str) -> SkillsDetailResult: ...
    def install(self, **params: Any) -> Any: ...
    @property
    def library(self) -> SkillsLibrary: ...
    @property
    def proposals(self) -> SkillsProposals: ...
    def search(self, *, limit: int = ..., query: str = ...) -> SkillsSearchResult: ...
    def securityVerdicts(self, *, agentId: str = ...) -> SkillsSecurityVerdictsResult: ...
    def skillCard(self, *, skillKey: str, agentId: str = ...) -> SkillsSkillCardResult: ...
    def status(self, *, agentId: str = ..., sessionKey: str = ...) -> Any: ...
    def update(self, **params: Any) -> Any: ...
    @property
    def upload(self) -> SkillsUpload: ...

class System(Part):
    def info(self) -> SystemInfoResult: ...

class Talk(Part):
    def catalog(self) -> TalkCatalogResult: ...
    @property
    def client(self) -> TalkClient: ...
    def config(self, *, includeSecrets: bool = ...) -> TalkConfigResult: ...
    def mode(self, *, enabled: bool, phase: str = ...) -> Any: ...
    @property
    def session(self) -> TalkSession: ...
    def speak(self, *, text: str, language: str = ..., latencyTier: int = ..., modelId: str = ..., normalize: str = ..., outputFormat: str = ..., rateWpm: int = ..., seed: int = ..., similarity: float = ..., speakerBoost: bool = ..., speed: float = ..., stability: float = ..., style: float = ..., voiceId: str = ...) -> TalkSpeakResult: ...

class TaskSuggestions(Part):
    def accept(self, *, taskId: str, cloudProfileId: str = ..., mode: Literal['worktree', 'local', 'cloud', 'session'] = ...) -> TaskSuggestionsAcceptResult: ...
    def create(self, *, cwd: str, prompt: str, sessionKey: str, title: str, tldr: str, agentId: str = ...) -> TaskSuggestionsCreateResult: ...
    def dismiss(self, *, taskId: str, reason: str = ...) -> TaskSuggestionsDismissResult: ...
    def list(self, *, agentId: str = ..., sessionKey: str = ...) -> TaskSuggestionsListResult: ...

class Tasks(Part):
    def cancel(self, *, taskId: str, reason: str = ...) -> TasksCancelResult: ...
    def dismiss(self, **params: Any) -> Any: ...
    def get(self, *, taskId: str) -> TasksGetResult: ...
    def list(self, *, agentId: str = ..., cursor: str = ..., limit: int = ..., sessionKey: str = ..., status: Any = ...) -> TasksListResult: ...
    def retry(self, **params: Any) -> Any: ...

class Terminal(Part):
    def attach(self, *, sessionId: str) -> TerminalAttachResult: ...
    def close(self, *, sessionId: str) -> Any: ...
    def input(self, *, data: str, sessionId: str) -> Any: ...
    def list(self, **params: Any) -> TerminalListResult: ...
    def open(self, *, cols: int, rows: int, agentId: str = ..., catalog: Object = ..., sessionKey: str = ...) -> TerminalOpenResult: ...
    def resize(self, *, cols: int, rows: int, sessionId: str) -> Any: ...
    def upload(self, *, contentBase64: str, name: str, sessionId: str) -> TerminalUploadResult: ...

class Tools(Part):
    def catalog(self, *, agentId: str = ..., includePlugins: bool = ...) -> ToolsCatalogResult: ...
    def effective(self, *, sessionKey: str, agentId: str = ...) -> ToolsEffectiveResult: ...
    @property
    def github(self) -> ToolsGithub: ...
    def invoke(self, *, name: str, agentId: str = ..., args: Object = ..., confirm: bool = ..., conversationReadOrigin: Literal['direct-operator'] = ..., idempotencyKey: str = ..., sessionKey: str = ...) -> ToolsInvokeResult: ...

class Tts(Part):
    def convert(self, **params: Any) -> Any: ...
    def disable(self, **params: Any) -> Any: ...
    def enable(self, **params: Any) -> Any: ...
    def personas(self, **params: Any) -> Any: ...
    def providers(self, **params: Any) -> Any: ...
    def setPersona(self, **params: Any) -> Any: ...
    def setProvider(self, **params: Any) -> Any: ...
    def speak(self, *, text: str) -> TtsSpeakResult: ...
    def status(self, **params: Any) -> Any: ...

class Ui(Part):
    def command(self, *, command: Object, agentId: str = ..., sessionKey: str = ...) -> UiCommandResult: ...

class Update(Part):
    def hold(self) -> UpdateHoldResult: ...
    def run(self, *, continuationMessage: str = ..., deliveryContext: Object = ..., note: str = ..., restartDelayMs: int = ..., sessionKey: str = ..., target: Object = ..., timeoutMs: int = ...) -> Any: ...
    def status(self, *, refreshCheckout: bool = ...) -> UpdateStatusResult: ...

class Usage(Part):
    def cost(self, **params: Any) -> Any: ...
    def status(self, **params: Any) -> Any: ...

class Users(Part):
    @property
    def github(self) -> UsersGithub: ...
    def linkEmail(self, **params: Any) -> Any: ...
    def list(self, **params: Any) -> Any: ...
    @property
    def prefs(self) -> UsersPrefs: ...
    def self(self, **params: Any) -> Any: ...
    def setAvatar(self, **params: Any) -> Any: ...
    def setDisplayName(self, **params: Any) -> Any: ...
    def setRole(self, **params: Any) -> Any: ...

class Voicewake(Part):
    def get(self, **params: Any) -> Any: ...
    @property
    def routing(self) -> VoicewakeRouting: ...
    def set(self, **params: Any) -> Any: ...

class Web(Part):
    @property
    def login(self) -> WebLogin: ...

class Wizard(Part):
    def cancel(self, *, sessionId: str) -> Any: ...
    def next(self, *, sessionId: str, answer: Object = ...) -> WizardNextResult: ...
    def start(self, *, channel: str = ..., flow: Literal['setup', 'channels'] = ..., installDaemon: bool = ..., mode: Literal['local', 'remote'] = ..., workspace: str = ...) -> WizardStartResult: ...
    def status(self, *, sessionId: str) -> WizardStatusResult: ...

class Worker(Part):
    @property
    def desktop(self) -> WorkerDesktop: ...

class Worktrees(Part):
    def branches(self, *, repoRoot: str, includeRepositoryStatus: bool = ...) -> WorktreesBranchesResult: ...
    def create(self, *, repoRoot: str, baseRef: str = ..., name: str = ...) -> Any: ...
    def gc(self) -> WorktreesGcResult: ...
    def list(self) -> WorktreesListResult: ...
    def remove(self, *, id: str, force: bool = ...) -> WorktreesRemoveResult: ...
    def restore(self, *, id: str) -> Any: ...

class Methods(Part):
    @property
    def agent(self) -> Agent: ...
    @property
    def agents(self) -> Agents: ...
    @property
    def approval(self) -> Approval: ...
    @property
    def artifacts(self) -> Artifacts: ...
    @property
    def assistant(self) -> Assistant: ...
    @property
    def attach(self) -> Attach: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def board(self) -> Board: ...
    @property
    def channels(self) -> Channels: ...
    @property
    def chat(self) -> Chat: ...
    @property
    def commands(self) -> Commands: ...
    @property
    def config(self) -> Config: ...
    def connect(self, *, client: Object, maxProtocol: int, minProtocol: int, auth: Object = ..., caps: Array = ..., commands: Array = ..., computerUse: Any = ..., device: Object = ..., locale: str = ..., pathEnv: str = ..., permissions: Object = ..., role: str = ..., scopes: Array = ..., userAgent: str = ..., workerRuns: Object = ...) -> Any: ...
    @property
    def controlUi(self) -> ControlUi: ...
    @property
    def conversations(self) -> Conversations: ...
    @property
    def cron(self) -> Cron: ...
    @property
    def desktop(self) -> Desktop: ...
    @property
    def device(self) -> Device: ...
    @property
    def diagnostics(self) -> Diagnostics: ...
    @property
    def doctor(self) -> Doctor: ...
    @property
    def environments(self) -> Environments: ...
    @property
    def exec(self) -> Exec: ...
    @property
    def fs(self) -> Fs: ...
    @property
    def gateway(self) -> Gateway: ...
    def health(self, **params: Any) -> Any: ...
    @property
    def hooks(self) -> Hooks: ...
    def last_heartbeat(self, **params: Any) -> Any: ...
    @property
    def logs(self) -> Logs: ...
    @property
    def mcp(self) -> Mcp: ...
    @property
    def memory(self) -> Memory: ...
    @property
    def message(self) -> Message: ...
    @property
    def migrations(self) -> Migrations: ...
    @property
    def models(self) -> Models: ...
    @property
    def nativeHook(self) -> NativeHook: ...
    @property
    def node(self) -> Node: ...
    @property
    def openclaw(self) -> Openclaw: ...
    @property
    def plugin(self) -> Plugin: ...
    @property
    def plugins(self) -> Plugins: ...
    def poll(self, *, idempotencyKey: str = ..., options: Array, question: str, to: str, accountId: str = ..., channel: str = ..., durationHours: int = ..., durationSeconds: int = ..., isAnonymous: bool = ..., maxSelections: int = ..., silent: bool = ..., threadId: str = ...) -> Any: ...
    @property
    def portal(self) -> Portal: ...
    @property
    def progressCard(self) -> ProgressCard: ...
    @property
    def projects(self) -> Projects: ...
    @property
    def push(self) -> Push: ...
    @property
    def question(self) -> Question: ...
    @property
    def secrets(self) -> Secrets: ...
    def send(self, *, idempotencyKey: str = ..., to: str, accountId: str = ..., agentId: str = ..., asVoice: bool = ..., buffer: str = ..., channel: str = ..., contentType: str = ..., filename: str = ..., forceDocument: bool = ..., gifPlayback: bool = ..., mediaUrl: str = ..., mediaUrls: Array = ..., message: str = ..., parseMode: Literal['HTML'] = ..., replyToId: str = ..., sessionKey: str = ..., silent: bool = ..., threadId: str = ...) -> Any: ...
    @property
    def session(self) -> Session: ...
    @property
    def sessions(self) -> Sessions: ...
    def set_heartbeats(self, **params: Any) -> Any: ...
    @property
    def skills(self) -> Skills: ...
    def status(self, **params: Any) -> Any: ...
    @property
    def system(self) -> System: ...
    def system_event(self, **params: Any) -> Any: ...
    def system_presence(self, **params: Any) -> Any: ...
    @property
    def talk(self) -> Talk: ...
    @property
    def taskSuggestions(self) -> TaskSuggestions: ...
    @property
    def tasks(self) -> Tasks: ...
    @property
    def terminal(self) -> Terminal: ...
    @property
    def tools(self) -> Tools: ...
    @property
    def tts(self) -> Tts: ...
    @property
    def ui(self) -> Ui: ...
    @property
    def update(self) -> Update: ...
    @property
    def usage(self) -> Usage: ...
    @property
    def users(self) -> Users: ...
    @property
    def voicewake(self) -> Voicewake: ...
    def wake(self, *, mode: Literal['now', 'next-heartbeat'], text: str, agentId: str = ..., sessionKey: str = ..., **params: Any) -> Any: ...
    @property
    def web(self) -> Web: ...
    @property
    def wizard(self) -> Wizard: ...
    @property
    def worker(self) -> Worker: ...
    @property
    def worktrees(self) -> Worktrees: ...
