/*
 * The certificate's own check, in the reader's browser. Everything is written out here from its definition and
 * shares no code with the engine: canonical JSON (RFC 8785), SHA-256, the Merkle tree (RFC 6962), the levels,
 * the tests of the gate. Only Ed25519 is the browser's.
 *
 *     check(data, subtle)  -> {word, checks, facts}
 *     word     "committed"   what is public holds; the evidence is sealed
 *              "recomputed"  moreover the verdict follows from the opened evidence
 *              "wrong"       something does not hold; the first check that says so tells what
 *     checks   [{what, state: "holds" | "wrong" | "unknown", why}]
 *
 * All texts come from candidates and cases: they become text nodes, never markup.
 */
'use strict';

class Wrong extends Error {}
class Unknown extends Error {}

function demand(holds, why) {
    if (!holds) throw new Wrong(why);
}

// --- JSON: reading that keeps whole numbers, canonical writing ------------------------------------------

function parse(text) {
    let at = 0;
    const fail = () => { throw new Wrong('the data of this page are not JSON at character ' + at); };
    const space = () => { while (' \n\r\t'.includes(text[at]) && at < text.length) at++; };
    function word(expected, value) {
        if (!text.startsWith(expected, at)) fail();
        at += expected.length;
        return value;
    }
    function string() {
        const from = at++;
        while (text[at] !== '"') at += text[at] === '\\' ? 2 : at < text.length ? 1 : fail();
        return JSON.parse(text.slice(from, ++at));
    }
    function number() {
        const token = /^-?\d+(\.\d+)?([eE][-+]?\d+)?/.exec(text.slice(at, at + 400));
        if (token === null) fail();
        at += token[0].length;
        const value = Number(token[0]);
        return /^-?\d+$/.test(token[0]) && !Number.isSafeInteger(value) ? BigInt(token[0]) : value;
    }
    function next(end) { // past a comma, behind which something must come, or before the end
        if (text[at] === end) return;
        if (text[at++] !== ',') fail();
        space();
        if (text[at] === end) fail();
    }
    function list() {
        const out = [];
        for (at++, space(); text[at] !== ']'; ) {
            out.push(value());
            next(']');
        }
        return at++, out;
    }
    function object() {
        const out = new Map();
        for (at++, space(); text[at] !== '}'; ) {
            space();
            if (text[at] !== '"') fail();
            const key = string();
            space();
            if (text[at++] !== ':' || out.has(key)) fail();
            out.set(key, value());
            next('}');
        }
        return at++, Object.assign(Object.create(null), Object.fromEntries(out));
    }
    function value() {
        space();
        const c = text[at];
        const out = c === '{' ? object() : c === '[' ? list() : c === '"' ? string()
            : c === 't' ? word('true', true) : c === 'f' ? word('false', false)
            : c === 'n' ? word('null', null) : number();
        space();
        return out;
    }
    const out = value();
    if (at !== text.length) fail();
    return out;
}

// JavaScript writes strings and numbers as RFC 8785 wants them, and sorts by UTF-16 code units.
function canonical(value) {
    if (typeof value === 'bigint') return value.toString();
    if (Array.isArray(value)) return '[' + value.map(canonical).join(',') + ']';
    if (value === null || typeof value !== 'object') return JSON.stringify(value);
    return '{' + Object.keys(value).sort().map((k) => JSON.stringify(k) + ':' + canonical(value[k])).join(',') + '}';
}

const bytesOf = (text) => new TextEncoder().encode(text);

// --- SHA-256 (FIPS 180-4) ---------------------------------------------------------------------------------

const PRIMES = [];
for (let n = 2; PRIMES.length < 64; n++) if (PRIMES.every((p) => n % p)) PRIMES.push(n);
// The first 32 bits of the fraction of n's root: exact in integers, by trial of each bit.
function rootBits(n, power) {
    let root = 0n;
    const target = BigInt(n) << BigInt(32 * power);
    for (let bit = 1n << 36n; bit > 0n; bit >>= 1n)
        if ((root + bit) ** BigInt(power) <= target) root += bit;
    return Number(root & 0xffffffffn);
}
const START = PRIMES.slice(0, 8).map((p) => rootBits(p, 2)), ROUND = PRIMES.map((p) => rootBits(p, 3));

function sha256(...parts) {
    const size = parts.reduce((n, part) => n + part.length, 0);
    const data = new Uint8Array(((size + 72) >> 6) << 6), view = new DataView(data.buffer);
    parts.reduce((at, part) => (data.set(part, at), at + part.length), 0);
    data[size] = 0x80;
    view.setUint32(data.length - 8, Math.floor(size / 2 ** 29));
    view.setUint32(data.length - 4, (size * 8) >>> 0);
    const state = Int32Array.from(START), w = new Int32Array(64);
    const turn = (x, n) => (x >>> n) | (x << (32 - n));
    for (let block = 0; block < data.length; block += 64) {
        for (let i = 0; i < 16; i++) w[i] = view.getInt32(block + 4 * i);
        for (let i = 16; i < 64; i++) {
            const a = w[i - 15], b = w[i - 2];
            w[i] = w[i - 16] + w[i - 7] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10));
        }
        let [a, b, c, d, e, f, g, h] = state;
        for (let i = 0; i < 64; i++) {
            const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUND[i] + w[i]) | 0;
            const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
            [a, b, c, d, e, f, g, h] = [(one + two) | 0, a, b, c, (d + one) | 0, e, f, g];
        }
        [a, b, c, d, e, f, g, h].forEach((x, i) => { state[i] = (state[i] + x) | 0; });
    }
    const out = new Uint8Array(32);
    state.forEach((x, i) => new DataView(out.buffer).setInt32(4 * i, x));
    return out;
}

const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');

function unhex(text, size, what) {
    demand(typeof text === 'string' && text.length === 2 * size && /^[0-9a-f]*$/.test(text), what + ' is not ' + size + ' bytes in lowercase hex');
    return Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
}

function merkleRoot(leaves) {
    let level = leaves.map((leaf) => sha256([0], leaf));
    while (level.length > 1) { // an odd one at the end is carried up: the same tree as by splitting
        const above = [];
        for (let i = 0; i < level.length; i += 2)
            above.push(i + 1 < level.length ? sha256([1], level[i], level[i + 1]) : level[i]);
        level = above;
    }
    return level.length > 0 ? level[0] : sha256();
}

// --- exact numbers ------------------------------------------------------------------------------------------

// A double as a fraction of whole numbers.
function fraction(x) {
    let below = 1n;
    while (!Number.isInteger(x)) { x *= 2; below *= 2n; }
    return [BigInt(x), below];
}

function bigLog(n) {
    const digits = n.toString(16);
    return Math.log(Number('0x' + digits.slice(0, 16))) + Math.max(0, digits.length - 16) * 4 * Math.LN2;
}

function bigRatio(above, below) {
    return Math.exp(bigLog(above) - bigLog(below));
}

function isNumber(x) {
    return typeof x === 'number' && Number.isFinite(x);
}

function close(a, b) {
    return isNumber(a) && isNumber(b) && Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));
}

function sameRatio(a, b) {
    return isNumber(a) && isNumber(b) && Math.abs(a - b) <= 1e-9 * Math.abs(a);
}

// --- levels: gamma_1 = 0.8, then 0.2 * 6 / (pi^2 (t-1)^2) --------------------------------------------------

const RELEASE_POINTS = 4n;
const gamma = (t) => (t === 1 ? 0.8 : (0.2 * 6) / (Math.PI * (t - 1)) ** 2);
const promotions = (bits) => bits.filter((bit) => bit).length;

function strictLevel(alpha, bits) {
    let level = alpha / 2, gap = 1;
    for (const promoted of bits) {
        if (promoted) { level *= gamma(gap) / 2; gap = 0; }
        gap++;
    }
    return level * gamma(gap);
}

const elondLevel = (alpha, bits) => Math.min(1, alpha * gamma(bits.length + 1) * (promotions(bits) + 1));

const LEVELS = {
    'e-lond': elondLevel,
    'fresh': elondLevel, // each attempt on cases of its own
    'strict': strictLevel,
    'spending': (alpha, bits) => alpha * gamma(bits.length + 1),
    'per-decision': (alpha) => alpha,
};

// How many histories of this length there are with at most as many promotions, each at a release point.
function logHistories(bits) {
    let sum = 0n, ways = 1n, n = BigInt(bits.length);
    for (let j = 0n; j <= BigInt(promotions(bits)); j++) {
        sum += ways * RELEASE_POINTS ** j;
        ways = (ways * (n - j)) / (j + 1n);
    }
    return bigLog(sum);
}

// --- the tests of the gate ------------------------------------------------------------------------------------

// The integral of (1+x)^w (1-x)^l over [0,1] = [sum_{k<=w} C(n+1,k)] / [(n+1) C(n,w)], exactly.
class SignMixture {
    constructor() { this.n = 0n; this.wins = 0n; this.ways = 1n; this.sum = 1n; }
    step(won) {
        this.n++;
        if (won) this.wins++;
        this.ways = (this.ways * this.n) / (won ? this.wins : this.n - this.wins);
        this.sum = 2n * this.sum + (won ? this.ways : -this.ways);
    }
    below() { return (this.n + 1n) * this.ways; }
    log() { return bigLog(this.sum) - bigLog(this.below()); }
    reaches(level) {
        const [above, below] = fraction(level);
        return this.sum * above >= this.below() * below;
    }
}

// P(Bin(n, 1/2) >= wins) as [above, below].
function binomialUpper(wins, n) {
    let ways = 1n, sum = 0n;
    for (let k = 0; k <= n; k++) {
        if (k >= wins) sum += ways;
        ways = (ways * BigInt(n - k)) / BigInt(k + 1);
    }
    return [sum, 1n << BigInt(n)];
}

const STAKES = Array.from({length: 64}, (_, g) => ((g + 0.5) / 64) * 0.99);

function gridMixture(logs) {
    const top = Math.max(...logs);
    return top + Math.log(logs.reduce((sum, x) => sum + Math.exp(x - top), 0)) - Math.log(64);
}

// P(sum of +-d >= sum d) where few sums are possible (multiples of one unit), else null.
function flipsExactly(d) {
    const unit = Math.min(...d.map(Math.abs));
    for (let parts = 1; parts <= 60; parts++) {
        const steps = d.map((x) => (x / unit) * parts);
        if (!steps.every((x) => Math.abs(x - Math.round(x)) < 1e-7)) continue;
        let ways = new Map([[0, 1n]]);
        for (const step of steps.map(Math.round)) {
            const more = new Map();
            for (const [total, n] of ways)
                for (const to of [total + step, total - step]) more.set(to, (more.get(to) || 0n) + n);
            if (more.size > 50000) return null;
            ways = more;
        }
        const observed = steps.reduce((sum, x) => sum + Math.round(x), 0);
        let extreme = 0n;
        for (const [total, n] of ways) if (total >= observed) extreme += n;
        return extreme === 0n ? 0 : bigRatio(extreme, 1n << BigInt(d.length));
    }
    return null;
}

function flipsAtRandom(d, flips) {
    let seed = 1, extreme = 0;
    const coin = () => { // mulberry32
        seed = (seed + 0x6d2b79f5) | 0;
        let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return (t ^ (t >>> 14)) >>> 31;
    };
    const observed = d.reduce((s, x) => s + x, 0) - 1e-12 * d.reduce((s, x) => s + Math.abs(x), 0);
    for (let i = 0; i < flips; i++)
        if (d.reduce((s, x) => (coin() ? s + x : s - x), 0) >= observed) extreme++;
    return (1 + extreme) / (1 + flips);
}

// [p, how far a vault that draws its flips may be from it]
function signFlip(all) {
    const d = all.filter((x) => x !== 0);
    if (d.length === 0) return [1, 0];
    const exact = flipsExactly(d), p = exact === null ? flipsAtRandom(d, 9999) : exact;
    const oneSize = new Set(d.map(Math.abs)).size === 1;
    if (exact !== null && (d.length <= 20 || oneSize)) return [p, 0];
    const drawn = Math.max(999, Math.min(99999, 1e9 / d.length));
    return [p, 6 * Math.sqrt((p * (1 - p) + 1e-5) / (exact !== null ? drawn : Math.min(drawn, 9999)))];
}

// One attempt fed again: observations in order, one a cluster.
class Gate {
    constructor(statement) {
        Object.assign(this, {s: statement, d: [], wins: 0, losses: 0, ties: 0, mixture: new SignMixture(),
            logs: new Array(64).fill(0), logE: 0, maxLogE: 0, path: [], state: 'open', p: 1, slack: 0});
    }
    observe(excess) {
        demand(this.state === 'open', 'the evidence goes on after the decision');
        this.d.push(excess);
        this[excess > 0 ? 'wins' : excess < 0 ? 'losses' : 'ties']++;
        const last = this.d.length === this.s.clusters;
        if (this.s.look === 'fixed') {
            if (last) this.lookOnce();
            return;
        }
        let passes;
        if (this.s.unit === 'sign') {
            if (excess !== 0) this.mixture.step(excess > 0);
            this.logE = this.mixture.log();
            passes = this.mixture.reaches(this.s.level);
        } else {
            this.logs = this.logs.map((w, g) => w + Math.log1p(STAKES[g] * excess));
            this.logE = gridMixture(this.logs);
            passes = this.logE >= -Math.log(this.s.level);
        }
        this.path.push(this.logE);
        this.maxLogE = Math.max(this.maxLogE, this.logE);
        this.p = Math.min(1, Math.exp(-this.maxLogE));
        this.state = passes ? 'promote' : last ? 'exhausted' : 'open';
    }
    lookOnce() {
        let passes;
        if (this.s.unit === 'sign') {
            const [above, below] = binomialUpper(this.wins, this.wins + this.losses), [l, m] = fraction(this.s.level);
            this.p = bigRatio(above, below);
            passes = above * m <= l * below;
        } else {
            [this.p, this.slack] = signFlip(this.d);
            passes = this.p <= this.s.level;
        }
        this.state = passes ? 'promote' : 'exhausted';
    }
}

// --- what is checked ------------------------------------------------------------------------------------------

async function signedBy(subtle, key, statement, signature) {
    const signed = unhex(signature, 64, 'the signature'), raw = unhex(key, 32, 'the key');
    let known;
    try {
        known = await subtle.importKey('raw', raw, {name: 'Ed25519'}, false, ['verify']);
    } catch (error) {
        demand(subtle === undefined || error.name === 'NotSupportedError', 'the key is none');
        throw new Unknown('this browser has no Ed25519, so the signature is not checked here; tools/pawl-verify checks it');
    }
    return subtle.verify({name: 'Ed25519'}, known, signed, bytesOf(canonical(statement)));
}

async function checkSignatures(data, subtle) {
    const s = data.statement;
    demand(await signedBy(subtle, s.public_key, s, data.signature), 'the signature does not fit the statement: one of them was changed');
    for (const other of data.history) {
        demand(other.statement.public_key === s.public_key && other.statement.vault === s.vault, 'an attempt before it is another vault\'s');
        demand(await signedBy(subtle, s.public_key, other.statement, other.signature),
            'the signature of attempt ' + other.statement.attempt + ' does not fit');
    }
    return data.history.length === 0 ? 'Ed25519, over the statement in canonical JSON.'
        : 'Ed25519, over the statement in canonical JSON, and those of the ' + data.history.length + ' attempts before it.';
}

// What fresh cases said of the promotion later. Whether it was rolled back for it stands in the ledger alone, but only
// harm can have done that.
async function checkConfirmation(data, subtle) {
    const s = data.statement, {statement: said, signature, rolled_back: rolled} = data.confirmation;
    demand(said.schema === 1 && said.kind === 'confirmation', 'it states no confirmation');
    demand(said.public_key === s.public_key && said.vault === s.vault, 'another vault says it');
    demand(['attempt', 'candidate', 'incumbent'].every((f) => said[f] === s[f]), 'it is about another promotion');
    demand(['stable', 'unconfirmed', 'harm'].includes(said.answer), 'the answer is none');
    demand(rolled === false || (rolled === true && said.answer === 'harm'), 'it is told as rolled back without harm');
    const k = said.confirmation;
    demand(Number.isSafeInteger(k) && k > 0 && sameRatio(said.level, said.alpha / (k * (k + 1))), 'the level is not that of its number');
    demand(await signedBy(subtle, s.public_key, said, signature), 'its signature does not fit: one of them was changed');
    return 'Confirmation ' + k + ' of this vault: ' + said.answer + '. Ed25519, by the key of the verdict.';
}

function checkRule(s) {
    demand(s.schema === 1, 'the statement is of another schema');
    demand(s.verdict === 'promote', 'it certifies an attempt that was not promoted');
    demand(Object.hasOwn(LEVELS, s.policy) && ['fixed', 'sequential'].includes(s.look), 'the rule is not known');
    demand(s.look === 'sequential' || ['spending', 'per-decision'].includes(s.policy), 'one planned look gives no e-value, which this policy needs');
    demand(s.alpha > 0 && s.alpha < 1 && s.level > 0 && s.level <= 1, 'the level is none');
    demand(sameRatio(s.threshold, 1 / s.level), 'the threshold is not the level\'s reciprocal');
    demand(s.unit === 'grid' || (s.unit === 'sign' && s.samples === 1 && s.largest_cluster === 1), 'the unit does not fit the sizes');
    demand(s.clusters > 0 && s.clusters <= s.n_planned && s.n_planned <= s.clusters * s.largest_cluster, 'clusters and cases do not fit');
    demand(s.candidate !== s.incumbent, 'the candidate is the incumbent');
}

// Attempts without a record were undecided or interrupted, or one of them was answered just before a crash.
function checkLevel(data) {
    const s = data.statement, first = data.before + 1, bits = [], absent = [];
    const byNumber = new Map(data.history.map((other) => [other.statement.attempt, other.statement]));
    demand(byNumber.size === data.history.length, 'an attempt\'s number was used twice');
    for (const [k, other] of byNumber) {
        demand(k >= first && k < s.attempt, 'attempt ' + k + ' does not come before this one');
        demand(['alpha', 'policy', 'look'].every((f) => other[f] === s[f]), 'the rule changed during the life of the sealed set');
    }
    for (let k = first; k < s.attempt; k++) {
        bits.push(byNumber.has(k) && byNumber.get(k).verdict === 'promote');
        if (!byNumber.has(k)) absent.push(k);
    }
    const fits = (b) => sameRatio(s.level, LEVELS[s.policy](s.alpha, b)) && close(s.log_histories, s.policy === 'fresh' ? 0 : logHistories(b));
    const lost = (k) => bits.map((bit, i) => bit || i === k - first);
    demand(fits(bits) || absent.some((k) => fits(lost(k))), 'the level is not the one that the ' + bits.length + ' attempts before it leave');
    return 'Attempt ' + (bits.length + 1) + ' of this sealed set; ' + promotions(bits) + ' of those before it were promoted' +
        (absent.length > 0 ? ', ' + absent.length + ' have no record' : '') + '.';
}

function checkArtifact(name, id, artifact) {
    if (artifact === null) throw new Unknown('the ' + name + '\'s texts are not on this page');
    const components = {};
    for (const [key, c] of Object.entries(artifact.components))
        components[key] = {hash: hex(sha256(bytesOf(c.text))), kind: c.kind, role: c.role};
    demand(hex(sha256(bytesOf(canonical({components, schema: 1})))) === id, 'the texts shown here are not those of the ' + name);
    return 'The texts below have the hash that the vault signed.';
}

function checkCases(s, evidence, sealed) {
    const leaves = [], cases = new Map();
    for (const entry of sealed.slice(0, s.commitment.size)) {
        if (Object.keys(entry).join() === 'leaf') { // of the vault tier or a draw to come, which stay sealed
            leaves.push(unhex(entry.leaf, 32, 'a leaf'));
            continue;
        }
        leaves.push(sha256(unhex(entry.salt, 32, 'a salt'), bytesOf(canonical(entry.case))));
        cases.set(entry.case.id, entry.case);
    }
    demand(leaves.length === s.commitment.size, 'fewer cases are opened than were sealed');
    demand(hex(merkleRoot(leaves)) === s.commitment.root, 'the opened cases are not the sealed ones');
    const gate = [...cases.values()].filter((c) => c.tier === 'gate');
    demand(evidence.cases.every((c) => cases.has(c.id) && cases.get(c.id).tier === 'gate'), 'a case was scored that is not sealed in the gate tier');
    demand(gate.length === s.n_planned || (s.policy === 'fresh' && gate.length > s.n_planned), 'the gate tier has another size');
    demand(evidence.cases.every((c) => (cases.get(c.id).cluster ?? c.id) === c.cluster), 'a case is in another cluster');
    return s.n_planned + ' cases of the gate, committed to before the first of them was asked.';
}

function observations(s, cases) {
    const clusters = [], seen = new Set();
    demand(new Set(cases.map((c) => c.id)).size === cases.length, 'a case is scored twice');
    cases.forEach((c, i) => {
        if (i === 0 || c.cluster !== cases[i - 1].cluster) {
            demand(!seen.has(c.cluster), 'a cluster is torn apart');
            seen.add(c.cluster);
            clusters.push([]);
        }
        demand((c.incumbent === null) === (c.candidate === null), 'only one arm of a case is missing');
        const old = c.incumbent ?? 0, now = c.candidate ?? 0;
        for (const x of [old, now]) demand(x >= 0 && x <= 1 && (s.unit === 'grid' || x === 0 || x === 1), 'a score is none');
        clusters[clusters.length - 1].push(now - old);
    });
    return clusters.map((d) => {
        demand(d.length <= s.largest_cluster, 'a cluster is larger than was sealed');
        return {n: d.length, excess: d.reduce((sum, x) => sum + x, 0) / s.largest_cluster};
    });
}

function checkFigures(s, told, gate, nCases) {
    const plan = {look: s.look, unit: s.unit, m0: 0, samples: s.samples, largest_cluster: s.largest_cluster, n_planned: s.clusters,
        verdict: s.verdict, state: gate.state, n_clusters: gate.d.length, n_cases: nCases, wins: gate.wins, losses: gate.losses,
        ties: gate.ties, stopped_at: gate.d.length};
    for (const [field, value] of Object.entries(plan)) demand(told[field] === value, 'the evidence tells another ' + field + ' than its scores give');
    demand(sameRatio(told.level, s.level) && sameRatio(told.threshold, s.threshold), 'the evidence tells another level');
    demand(isNumber(told.p) && Math.abs(told.p - gate.p) <= Math.max(1e-9 * gate.p, gate.slack), 'the p-value is another');
    if (s.look === 'sequential') demand(close(told.log_e, gate.logE) && close(told.max_log_e, gate.maxLogE), 'the e-value is another');
}

function openedEntry(data) {
    const entries = data.evidence.filter((entry) => entry.attempt === data.statement.attempt);
    demand(entries.length === 1, 'the evidence of this attempt is not there once');
    return entries[0];
}

function checkEvidence(data) {
    const s = data.statement, entry = openedEntry(data), evidence = entry.evidence;
    const salted = hex(sha256(unhex(entry.salt, 32, 'the salt'), bytesOf(canonical(evidence))));
    demand(salted === s.evidence_root, 'the evidence is not the one that the vault committed to');
    demand(entry.verdict === s.verdict, 'the evidence is filed under another verdict');
    for (const field of ['attempt', 'candidate', 'incumbent']) demand(evidence[field] === s[field], 'the evidence is of another ' + field);
    return 'Its salted hash is the one in the signed statement.';
}

function checkVerdict(data, facts) {
    const s = data.statement, evidence = openedEntry(data).evidence, gate = new Gate(s);
    let nCases = 0;
    for (const {n, excess} of observations(s, evidence.cases)) {
        if (s.guards !== undefined && gate.state !== 'open') break; // the rest is the guards'
        gate.observe(excess);
        nCases += n;
    }
    demand(gate.state !== 'open', 'the evidence ends before the decision');
    if (gate.slack > 0) { // the vault drew its flips: within their error, its own p decides
        demand(Math.abs(evidence.gate.p - gate.p) <= gate.slack, 'the p-value is another');
        gate.state = evidence.gate.p <= s.level ? 'promote' : 'exhausted';
    }
    demand(gate.state === 'promote', 'the verdict does not follow from the scores');
    checkFigures(s, evidence.gate, gate, nCases);
    facts.gate = gate;
    const what = s.unit === 'sign' ? 'cases' : 'clusters';
    const counts = gate.wins + ' ' + what + ' better, ' + gate.losses + ' worse, ' + gate.ties + ' equal. ';
    return counts + (s.look === 'sequential'
        ? 'E = ' + (gate.logE < 700 ? figure(Math.exp(gate.logE)) : '10^' + Math.floor(gate.logE / Math.LN10)) + ', and ' + figure(s.threshold) + ' was needed.'
        : 'p = ' + figure(gate.p) + ', and at most ' + figure(s.level) + ' was needed.');
}

// A trap is in no score. It springs for who is right on an impossible case where the incumbent is not, or who gains by
// being watched on more pairs than chance makes one time in a hundred.
function checkTraps(s, traps) {
    const pairs = new Map();
    let nImpossible = 0, wins = 0, losses = 0;
    for (const t of traps) {
        for (const x of [t.incumbent, t.candidate]) demand(x === null || (x >= 0 && x <= 1), 'a score is none');
        if (t.trap === 'impossible') {
            nImpossible++;
            demand(!(t.candidate === 1 && t.incumbent !== null && t.incumbent < 1), 'the candidate is right on what is impossible');
            continue;
        }
        demand(['watched', 'unwatched'].includes(t.trap), 'a trap is of no kind');
        const pair = pairs.get(t.pair) || {};
        demand(pair[t.trap] === undefined, 'a pair has two of a kind');
        pair[t.trap] = t;
        pairs.set(t.pair, pair);
    }
    demand(nImpossible === s.traps.impossible && pairs.size === s.traps.pairs, 'the evidence has other traps than were stated');
    for (const {watched: w, unwatched: u} of pairs.values()) {
        demand(w !== undefined && u !== undefined, 'a pair is not whole');
        if ([w.candidate, u.candidate, w.incumbent, u.incumbent].includes(null)) continue;
        const gap = (w.candidate - u.candidate) - (w.incumbent - u.incumbent);
        if (gap > 1e-9) wins++;
        if (gap < -1e-9) losses++;
    }
    const [above, below] = binomialUpper(wins, wins + losses);
    demand(wins === 0 || above * 100n > below, 'the candidate is better where it is watched');
    return nImpossible + ' impossible cases and ' + pairs.size + ' pairs of watched and unwatched ones.';
}

const KNOWN = new Set(['alpha', 'attempt', 'candidate', 'clusters', 'commitment', 'confinement', 'custody', 'evidence_root', 'guarantee',
    'incumbent', 'largest_cluster', 'level', 'log_histories', 'look', 'metric', 'metric_hash', 'models', 'n_planned', 'not_guaranteed',
    'policy', 'program', 'public_key', 'released_ms', 'run', 'samples', 'schema', 'threshold', 'unit', 'vault', 'verdict']);
const OPTIONAL = new Set(['guards', 'timing_channel', 'traps']);

function checkFields(s) {
    for (const field of KNOWN) demand(field in s, 'the statement has no ' + field);
    checkRule(s);
    if (s.traps !== undefined) demand(s.traps.evidence === null, 'what sprang a trap was promoted');
    const others = Object.keys(s).filter((field) => !KNOWN.has(field) && !OPTIONAL.has(field));
    if (others.length > 0) throw new Unknown('this page does not know what it says of: ' + others.join(', '));
    return 'Rule, sizes and threshold fit each other.';
}

async function check(data, subtle) {
    const checks = [], facts = {}, s = data.statement;
    const opened = data.evidence !== undefined;
    const add = async (what, judge) => {
        if (checks.some((c) => c.state === 'wrong')) return;
        try {
            checks.push({what, state: 'holds', why: await judge()});
        } catch (error) {
            const state = error instanceof Unknown ? 'unknown' : 'wrong';
            const why = error instanceof Wrong || error instanceof Unknown ? error.message
                : 'a field is missing or of another type (' + error.message + ')';
            checks.push({what, state, why});
        }
    };
    await add('The statement is complete', () => checkFields(s));
    await add('The vault signed it', () => checkSignatures(data, subtle));
    await add('Its level is what earlier attempts leave', () => checkLevel(data));
    if (data.confirmation !== undefined)
        await add('What fresh cases said is signed', () => checkConfirmation(data, subtle));
    await add('The candidate is shown as it is', () => checkArtifact('candidate', s.candidate, data.artifacts.candidate));
    await add('The incumbent is shown as it was', () => checkArtifact('incumbent', s.incumbent, data.artifacts.incumbent));
    await add('The evidence is told as it is', () => {
        demand(data.evidence_state === (opened ? 'opened' : 'committed'), 'the state of the evidence is not told right');
        return opened ? 'It is open.' : 'It is sealed in the vault; the statement holds its salted hash.';
    });
    if (opened) {
        await add('The evidence is what was committed to', () => checkEvidence(data));
        await add('The cases are those that were sealed', () => {
            demand(Array.isArray(data.sealed), 'the sealed cases are not opened with the evidence');
            return checkCases(s, openedEntry(data).evidence, data.sealed);
        });
        await add('The verdict follows from the scores', () => checkVerdict(data, facts));
        if (s.traps !== undefined)
            await add('No trap sprang', () => checkTraps(s, openedEntry(data).evidence.traps));
        if (s.guards !== undefined)
            await add('Its guards pass', () => {
                throw new Unknown('this page does not compute guards; tools/pawl-verify does');
            });
    }
    const word = checks.some((c) => c.state === 'wrong') ? 'wrong' : opened ? 'recomputed' : 'committed';
    return {word, checks, facts};
}

// --- what is shown ----------------------------------------------------------------------------------------------

function figure(x) {
    if (!isNumber(x)) return String(x);
    return x !== 0 && (Math.abs(x) < 1e-4 || Math.abs(x) >= 1e6) ? x.toExponential(2) : String(Number(x.toPrecision(4)));
}

// node('p.note', 'text', child ...): every text is a text node.
function node(kind, ...content) {
    const [tag, name] = kind.split('.'), out = document.createElement(tag);
    if (name) out.className = name;
    out.append(...content.map((c) => (c !== null && typeof c === 'object' ? c : document.createTextNode(String(c)))));
    return out;
}

function section(title, ...content) {
    return node('section', node('h2', title), ...content);
}

function pairs(rows) {
    return node('dl', ...rows.flatMap(([name, value]) => [node('dt', name), node('dd', value)]));
}

const WORDS = {
    committed: ['Committed', 'What is public holds. The scores are sealed: this page can say what was promised, and not yet what was seen.'],
    recomputed: ['Recomputed', 'The evidence is open, and the verdict follows from it: your browser has just computed it again.'],
    wrong: ['Wrong', ''],
};

function showVerdict(outcome) {
    const [title, words] = WORDS[outcome.word], bad = outcome.checks.find((c) => c.state === 'wrong');
    const unknown = outcome.checks.filter((c) => c.state === 'unknown');
    return node('section.verdict ' + outcome.word, node('h2', title),
        node('p', bad ? bad.what + '? No: ' + bad.why + '.' : words),
        ...unknown.map((c) => node('p.note', 'Not checked: ' + c.why + '.')));
}

function showChecks(outcome) {
    const marks = {holds: '\u2713', wrong: '\u2717', unknown: '?'};
    return section('What was checked here', node('ul.checks', ...outcome.checks.map((c) =>
        node('li.' + c.state, node('span.mark', marks[c.state]), node('strong', c.what), node('span.why', c.why)))));
}

function showQuestion(s) {
    const size = s.clusters === s.n_planned ? s.n_planned + ' sealed cases' : s.n_planned + ' sealed cases in ' + s.clusters + ' clusters';
    const samples = s.samples > 1 ? ', ' + s.samples + ' answers a case' : '';
    const look = s.look === 'fixed' ? 'one planned look at the end' : 'a test that may be looked at after every case';
    return section('What was asked', node('p', 'Does candidate ' + s.candidate.slice(0, 12) + ' do better than incumbent ' +
        s.incumbent.slice(0, 12) + ', which was in force? Both answered ' + size + samples + ', which nobody who proposed the candidate could see. ' +
        'Metric: ' + s.metric + '. Judged by ' + look + '. The answer was one bit: ' + s.verdict + ', told ' + new Date(s.released_ms).toISOString() + '.'));
}

// What fresh cases said of it later (checkConfirmation).
function showConfirmation(data) {
    const said = data.confirmation && data.confirmation.statement;
    if (!said) return [];
    const words = {stable: 'the gain was there again', unconfirmed: 'nothing spoke against it, and too little for it',
        harm: 'it was worse' + (data.confirmation.rolled_back ? ', and it was taken out of force' : '')};
    return [section('What fresh cases said later', node('p', 'On ' + said.n_planned + ' sealed cases that had served nothing before, at level ' +
        figure(said.level) + ': ' + (words[said.answer] || said.answer) + '.'), node('p.note', said.guarantee))];
}

// Whether people agreed is not in the certificate, but in the ledger after it.
function showPeople(data) {
    const asked = data.approval;
    if (!asked) return [];
    return [section('Whom it had to convince', node('p', 'The gate\u2019s answer put nothing in force by itself: ' + asked.needed +
        (asked.needed === 1 ? ' person' : ' people') + ' had to approve a change of layer ' + asked.layer +
        ' first. Whether they did, or said no, stands in the ledger.'))];
}

function showPromise(s) {
    return section('What is promised', node('p', s.guarantee), node('h3', 'And what is not'), node('p', s.not_guaranteed),
        node('p', 'Policy ' + s.policy + ', \u03b1 = ' + figure(s.alpha) + '; this was attempt ' + s.attempt + ', at level ' + figure(s.level) +
            (s.look === 'sequential' ? ': the evidence E had to reach ' + figure(s.threshold) + '.' : ': p could be at most that.')));
}

function showTrust(data) {
    const s = data.statement, models = Object.entries(s.models || {}).map(([role, name]) => role + ': ' +
        (typeof name === 'string' ? name : canonical(name))).join('; ');
    const providers = (data.providers || []).map((p) => p.provider).join(', ');
    const copies = data.case_copies && data.case_copies.found ? data.case_copies.found.length : 0;
    return section('Whom you trust', pairs([['Custody', s.custody], ['Confinement', s.confinement], ['Models', models || 'none'],
        ['Timing channel', s.timing_channel || 'none is known: no model server on this machine is shared with operators'],
        ...(s.traps ? [['Traps', s.traps.impossible + ' impossible cases, ' + s.traps.pairs + ' pairs of watched and unwatched ones; none sprang']] : []),
        ['Saw sealed prompts', providers || 'no provider outside the machine'],
        ['Readable copies of sealed cases', copies === 0 ? 'none found' : copies + ' found: ' + data.case_copies.found.join(', ')]]));
}

// ln E over the clusters, and the line that it had to reach.
function drawPath(gate, threshold) {
    const SVG = 'http://www.w3.org/2000/svg', wide = 640, high = 160, goal = Math.log(threshold);
    const shape = (tag, attributes) => {
        const out = document.createElementNS(SVG, tag);
        for (const [name, value] of Object.entries(attributes)) out.setAttribute(name, value);
        return out;
    };
    const low = Math.min(0, ...gate.path), top = Math.max(goal, ...gate.path) * 1.05;
    const x = (i) => ((i / Math.max(1, gate.path.length)) * wide).toFixed(1), y = (e) => (high - ((e - low) / (top - low)) * high).toFixed(1);
    const out = shape('svg', {viewBox: '0 0 ' + wide + ' ' + high, role: 'img', 'aria-label': 'the evidence over the clusters'});
    out.append(shape('line', {x1: 0, x2: wide, y1: y(goal), y2: y(goal), class: 'goal'}),
        shape('line', {x1: 0, x2: wide, y1: y(0), y2: y(0), class: 'zero'}),
        shape('polyline', {points: [0, ...gate.path].map((e, i) => x(i) + ',' + y(e)).join(' '), class: 'path'}));
    return node('figure', out, node('figcaption', 'The evidence, ln E, over ' + gate.path.length + ' clusters; dashed: what it had to reach.'));
}

function showEvidence(data, outcome) {
    const gate = outcome.facts.gate, s = data.statement;
    if (!gate) return [];
    const seen = openedEntry(data).evidence.cases, mean = (arm) => seen.reduce((sum, c) => sum + (c[arm] ?? 0), 0) / seen.length;
    return [section('What was seen', ...(gate.path.length > 1 ? [drawPath(gate, s.threshold)] : []),
        pairs([['Cases scored', seen.length + ' of ' + s.n_planned], ['Incumbent, mean score of these', figure(mean('incumbent'))],
            ['Candidate, mean score of these', figure(mean('candidate'))], ['Better, worse, equal', [gate.wins, gate.losses, gate.ties].join(', ')]]),
        ...(s.look === 'sequential' ? [node('p.note', 'A test that stops as soon as it is sure overstates the difference: these means are ' +
            'not an estimate of the gain.')] : []))];
}

function showChange(artifacts) {
    const before = artifacts.incumbent ? artifacts.incumbent.components : {}, after = artifacts.candidate ? artifacts.candidate.components : {};
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    const changed = names.filter((name) => (before[name] || {}).text !== (after[name] || {}).text);
    if (changed.length === 0) return [];
    return [section('What changed', ...changed.flatMap((name) => [node('h3', name), node('div.change',
        node('div', node('h4', 'before'), node('pre', before[name] ? before[name].text : '(absent)')),
        node('div', node('h4', 'after'), node('pre', after[name] ? after[name].text : '(absent)')))]))];
}

function showHashes(data) {
    const s = data.statement;
    const rows = [['Vault', s.vault], ['Key', s.public_key], ['Candidate', s.candidate], ['Incumbent', s.incumbent],
        ['Sealed cases', s.commitment.root + ' (' + s.commitment.size + ')'], ['Evidence', s.evidence_root], ['Metric', s.metric_hash],
        ['Program', s.program], ['Signature', data.signature]];
    return section('Hashes', pairs(rows.map(([name, value]) => [name, node('code', value)])));
}

async function show() {
    const main = document.getElementById('page');
    let outcome, data;
    try {
        data = parse(document.getElementById('data').textContent);
        outcome = await check(data, typeof crypto === 'undefined' ? undefined : crypto.subtle);
    } catch (error) {
        document.body.setAttribute('data-word', 'wrong');
        main.append(node('section.verdict wrong', node('h2', 'Wrong'), node('p', 'This page holds no certificate: ' + error.message + '.')));
        return;
    }
    document.body.setAttribute('data-word', outcome.word);
    main.append(showVerdict(outcome));
    try {
        const s = data.statement;
        main.append(showQuestion(s), ...showPeople(data), showPromise(s), ...showConfirmation(data), ...showEvidence(data, outcome), showChecks(outcome), ...showChange(data.artifacts),
            showTrust(data), showHashes(data));
    } catch (error) { // what was found wrong stands above already
        main.append(showChecks(outcome), node('p.note', 'The rest cannot be shown: ' + error.message + '.'));
    }
}

show();
