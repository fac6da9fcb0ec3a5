// Which random schedules run: those of SEED, those of the fixed seeds (SEEDS=fixed), or new ones.
import seeds from './seeds.json';

const DEFAULT_SCHEDULES = 2_000;
/** Each of them is several executions. */
const DEFAULT_LIST_SCHEDULES = 500;

const { SEED, SCHEDULES, SEEDS = '' } = process.env;
if (!['', 'fixed'].includes(SEEDS)) throw new Error(`SEEDS must be "fixed", not "${SEEDS}"`);
const fresh = [Date.now() % 2 ** 31];
const usual = SEEDS === 'fixed' ? seeds : { fixed: fresh, schedules: DEFAULT_SCHEDULES };
const usualOfList =
	SEEDS === 'fixed' ? seeds.list : { fixed: fresh, schedules: DEFAULT_LIST_SCHEDULES };

function wholeNumber(text: string): number {
	const number = Number(text);
	if (Number.isInteger(number)) return number;
	throw new Error(`SEED and SCHEDULES must be whole numbers, not "${text}"`);
}

const drawn = ({ fixed, schedules }: { fixed: readonly number[]; schedules: number }) => ({
	/** Each of them has an equal share of the schedules. */
	seeds: SEED ? [wholeNumber(SEED)] : fixed,
	/** How many schedules there are in all. */
	schedules: SCHEDULES ? wholeNumber(SCHEDULES) : schedules,
});
export const ALL = drawn(usual);
/** Those of the list of videos. */
export const ALL_OF_LIST = drawn(usualOfList);
