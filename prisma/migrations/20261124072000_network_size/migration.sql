-- AlterTable
ALTER TABLE "Run" ADD COLUMN     "flops" BIGINT,
ADD COLUMN     "parameterCount" INTEGER;
