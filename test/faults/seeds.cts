// Which random schedules run: those of SEED, those of the fixed seeds (SEEDS=fixed), or new ones.
import seeds from './seeds.json';

const DEFAULT_SCHEDULES = 2_000;

const { SEED, SCHEDULES, SEEDS = '' } = process.env;
if (!['', 'fixed'].includes(SEEDS)) throw new Error(`SEEDS must be "fixed", not "${SEEDS}"`);
const usual =
	SEEDS === 'fixed'
		? { list: seeds.fixed, schedules: seeds.schedules }
		: { list: [Date.now() % 2 ** 31], schedules: DEFAULT_SCHEDULES };

function wholeNumber(text: string): number {
	const number = Number(text);
	if (Number.isInteger(number)) return number;
	throw new Error(`SEED and SCHEDULES must be whole numbers, not "${text}"`);
}

/** The seeds, each of them with an equal share of the schedules. */
export const ALL_SEEDS: readonly number[] = SEED ? [wholeNumber(SEED)] : usual.list;
/** How many schedules there are in all. */
export const ALL_SCHEDULES = SCHEDULES ? wholeNumber(SCHEDULES) : usual.schedules;
